//! Text that comes apart into pieces, lent or owned.

use creel_kernels::TextWords;

/// Text that [`words`](crate::Records::words) and [`split`](crate::Records::split) take apart.
///
/// A lent text gives pieces that are lent from it. An owned one gives owned pieces, one
/// allocation each, since it is gone when they are used.
///
/// ```
/// use creel_operators::Pieces;
///
/// let lent: Vec<&str> = "one fish".words().collect();
/// let owned: Vec<String> = String::from("one fish").words().collect();
/// assert_eq!(lent, owned);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not text: `words` and `split` take `&str` or `String`"
)]
pub trait Pieces {
    /// A piece: `&'b str` of a `&'b str`, `String` of a `String`.
    type Piece;

    /// What stands between Unicode white space, never empty.
    fn words(self) -> impl Iterator<Item = Self::Piece>;

    /// What stands between occurrences of a separator, as [`str::split`] gives it.
    fn split(self, separator: &str) -> impl Iterator<Item = Self::Piece>;
}

impl<'b> Pieces for &'b str {
    type Piece = &'b str;

    #[inline]
    fn words(self) -> impl Iterator<Item = &'b str> {
        TextWords::new(self)
    }

    #[inline]
    fn split(self, separator: &str) -> impl Iterator<Item = &'b str> {
        str::split(self, separator)
    }
}

impl<'b> Pieces for &'b String {
    type Piece = &'b str;

    #[inline]
    fn words(self) -> impl Iterator<Item = &'b str> {
        TextWords::new(self)
    }

    #[inline]
    fn split(self, separator: &str) -> impl Iterator<Item = &'b str> {
        str::split(self, separator)
    }
}

impl Pieces for String {
    type Piece = Self;

    #[inline]
    fn words(self) -> impl Iterator<Item = Self> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self[at..].trim_start();
            let start = self.len() - rest.len();
            let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
            at = start + len;
            (len > 0).then(|| rest[..len].to_owned())
        })
    }

    #[inline]
    fn split(self, separator: &str) -> impl Iterator<Item = Self> {
        let pieces: Vec<Self> = str::split(&self, separator).map(Self::from).collect();
        pieces.into_iter()
    }
}
