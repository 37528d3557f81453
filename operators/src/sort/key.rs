//! Bytes that sort as what they are made of.

/// A key that sorts byte by byte, made of several parts: the first that differs decides.
///
/// No key is the beginning of another one, unless they are equal. So a part can be turned round for a
/// descending order, and the position of a record in the input, put last, keeps equal records in order.
///
/// ```
/// use creel_operators::sort::SortKey;
///
/// let key = |text: &str, descending, position| {
///     let mut key = SortKey::default();
///     key.put(text.as_bytes(), descending);
///     key.put_number(position);
///     key.bytes().to_vec()
/// };
/// assert!(key("a", false, 2) < key("ab", false, 1));
/// assert!(key("a", true, 2) > key("ab", true, 1));
/// assert!(key("a", true, 1) < key("a", true, 2));
/// ```
#[derive(Debug, Clone, Default)]
pub struct SortKey(Vec<u8>);

impl SortKey {
    /// Ends a part; stands before a zero byte that is part of the bytes.
    const END: [u8; 2] = [0, 0];
    const ZERO: [u8; 2] = [0, 0xff];

    /// Appends bytes that sort as they are, or the other way round.
    ///
    /// ```
    /// let mut key = creel_operators::sort::SortKey::default();
    /// key.put(b"a\0", false);
    /// assert_eq!(key.bytes(), b"a\0\xff\0\0");
    /// ```
    pub fn put(&mut self, bytes: &[u8], descending: bool) {
        let start = self.0.len();
        let mut pieces = bytes.split(|byte| *byte == 0);
        self.0.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.0.extend_from_slice(&Self::ZERO);
            self.0.extend_from_slice(piece);
        }
        self.0.extend_from_slice(&Self::END);
        if descending {
            self.0[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }

    /// Appends a number, small ones in few bytes.
    ///
    /// ```
    /// let mut key = creel_operators::sort::SortKey::default();
    /// key.put_number(258);
    /// assert_eq!(key.bytes(), [2, 1, 2]);
    /// ```
    pub fn put_number(&mut self, number: u64) {
        let bytes = number.to_be_bytes();
        let zeros = number.leading_zeros() as usize / 8;
        self.0.push((bytes.len() - zeros) as u8);
        self.0.extend_from_slice(&bytes[zeros..]);
    }

    /// Appends parts of another key.
    ///
    /// ```
    /// let (mut key, mut other) = (creel_operators::sort::SortKey::default(), Default::default());
    /// key.put_number(0);
    /// key.append(&other);
    /// other.append(&key);
    /// assert_eq!(other.bytes(), [0]);
    /// ```
    pub fn append(&mut self, parts: &Self) {
        self.0.extend_from_slice(&parts.0);
    }

    /// Removes all parts.
    ///
    /// ```
    /// let mut key = creel_operators::sort::SortKey::default();
    /// key.put_number(7);
    /// key.clear();
    /// assert!(key.bytes().is_empty());
    /// ```
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The bytes of all parts.
    ///
    /// ```
    /// assert!(creel_operators::sort::SortKey::default().bytes().is_empty());
    /// ```
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(parts: &(Vec<u8>, Vec<u8>, u64)) -> Vec<u8> {
        let mut key = SortKey::default();
        key.put(&parts.0, false);
        key.put(&parts.1, true);
        key.put_number(parts.2);
        key.bytes().to_vec()
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0, 1, 7, 0xfe, 0xff]), 0..5)
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_parts_do(
            a in (bytes(), bytes(), any::<u64>()),
            b in (bytes(), bytes(), any::<u64>()),
            is_same in any::<(bool, bool)>(),
        ) {
            let b = (
                if is_same.0 { a.0.clone() } else { b.0 },
                if is_same.1 { a.1.clone() } else { b.1 },
                b.2,
            );
            let expected = a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2));
            prop_assert_eq!(key(&a).cmp(&key(&b)), expected);
        }
    }
}
