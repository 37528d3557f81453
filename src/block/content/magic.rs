//! Formats by their first bytes.
//!
//! A beginning that text may have too, such as `BM` or `PAR1`, counts only with more of the format's
//! structure behind it, or where the rest of the bytes is not text.

use super::Kind;

/// How a format begins.
struct Magic {
    at: usize,
    bytes: &'static [u8],
    /// What else has to hold of all first bytes, the second argument being whether they look binary.
    also: fn(&[u8], bool) -> bool,
    kind: Kind,
}

const fn magic(bytes: &'static [u8], what: &'static str, mend: &'static str) -> Magic {
    Magic { at: 0, bytes, also: |_, _| true, kind: Kind { what, mend } }
}

impl Magic {
    const fn at(self, at: usize) -> Self {
        Self { at, ..self }
    }

    const fn also(self, also: fn(&[u8], bool) -> bool) -> Self {
        Self { also, ..self }
    }

    fn begins(&self, head: &[u8]) -> bool {
        // The first byte rules out most without a call.
        head.get(self.at) == self.bytes.first() && head[self.at..].starts_with(self.bytes)
    }
}

const ZIP: &str = "unpack it first: unzip -p FILE | creel ...";
const TAR: &str = "unpack it first: tar -xOf FILE | creel ...";
const COMPRESS: &str = "decode it first: uncompress -c FILE | creel ...";
const LZMA: &str = "decode it first: xz --format=lzma -dc FILE | creel ...";
const GZIP: &str = "decode it first: gzip -dc FILE | creel ...";
const ZLIB: &str = "decode it first: pigz -dcz < FILE | creel ...";
const CPIO: &str = "unpack it first: cpio -i --to-stdout < FILE | creel ...";
const SEVEN: &str = "unpack it first: 7z x -so FILE | creel ...";
const RAR: &str = "unpack it first: unrar p -inul FILE | creel ...";
const UNPACK: &str = "unpack it first, and name the files that were in it";
const OFFICE: &str = "save its text first, as text or CSV";
const PDF: &str = "extract its text first: pdftotext FILE - | creel ...";
const LEAVE: &str = "leave it out of the sources";
const TABLE: &str = "write it as JSON Lines first, with a program that reads this format";
const SQLITE: &str = "write a table first: sqlite3 -json FILE 'select ...'";
const CAPTURE: &str = "print it first: tcpdump -r FILE | creel ...";
const JOURNAL: &str = "print it first: journalctl -o json --file FILE | creel -f jsonl ...";
const KEY: &str = "decrypt it first";

/// The name of the format whose data begins so. `looks_binary` is asked for only where a magic number
/// is met.
pub(super) fn find(head: &[u8], looks_binary: impl FnOnce() -> bool) -> Option<Kind> {
    let first = head.first().is_some_and(|first| BEGIN[usize::from(*first)]);
    let magics = if first { MAGICS } else { &[] }.iter().chain(BEHIND);
    let mut met = magics.filter(|magic| magic.begins(head)).peekable();
    if met.peek().is_some() {
        let binary = looks_binary();
        if let Some(magic) = met.find(|magic| (magic.also)(head, binary)) {
            return Some(magic.kind.clone());
        }
    }
    // These have no magic number.
    let kind = |what, mend| Kind { what, mend };
    let lzma = || is_lzma(head).then(|| kind("lzma data (.lzma)", LZMA));
    let tar = || is_tar(head).then(|| kind("a tar archive", TAR));
    lzma().or_else(tar)
}

/// Whether a tar archive begins so: a header whose checksum is right.
pub(super) fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    if header[0] == 0 {
        return false;
    }
    let field = header[148..156].trim_ascii();
    let digits = field.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    if digits == 0 || field[digits..].iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return false;
    }
    let told = field[..digits].iter().fold(0, |sum, byte| sum * 8 + u32::from(byte - b'0'));
    let sum = |of: fn(u8) -> i32| {
        let bytes = header[..148].iter().chain(&header[156..]);
        bytes.map(|&byte| of(byte)).sum::<i32>() + 8 * 32
    };
    // Some programs of old summed signed bytes.
    let right = |sum: i32| u32::try_from(sum).is_ok_and(|sum| sum == told);
    right(sum(i32::from)) || right(sum(|byte| i32::from(byte.cast_signed())))
}

/// The first that holds is the format's name, so special ones stand before general ones.
const MAGICS: &[Magic] = &[
    // Archives.
    magic(b"PK\x03\x04", "an Office document (a zip archive)", OFFICE)
        .also(|head, _| holds(head, b"[Content_Types].xml") || holds(head, b"_rels/.rels")),
    magic(b"PK\x03\x04", "an OpenDocument or EPUB file (a zip archive)", OFFICE)
        .also(|head, _| head.get(30..).is_some_and(|name| name.starts_with(b"mimetype"))),
    magic(b"PK\x03\x04", "a zip archive", ZIP),
    magic(b"PK\x05\x06", "an empty zip archive", LEAVE),
    magic(b"PK\x07\x08", "a zip archive in parts", ZIP),
    magic(b"PK00PK\x03\x04", "a zip archive", ZIP),
    magic(b"7z\xbc\xaf\x27\x1c", "a 7z archive", SEVEN),
    magic(b"Rar!\x1a\x07", "a rar archive", RAR),
    magic(
        b"!<arch>\ndebian-binary",
        "a Debian package",
        "unpack it first: dpkg-deb --fsys-tarfile FILE",
    ),
    magic(b"!<arch>\n", "an ar archive", "unpack it first: ar p FILE | creel ...")
        .also(|head, _| head.len() == 8 || head.get(66..68) == Some(b"`\n")),
    magic(b"\xed\xab\xee\xdb", "an rpm package", "unpack it first: rpm2archive FILE"),
    magic(b"070701", "a cpio archive", CPIO).also(|head, _| hexadecimal(head, 6..110)),
    magic(b"070702", "a cpio archive", CPIO).also(|head, _| hexadecimal(head, 6..110)),
    magic(b"070707", "a cpio archive", CPIO).also(|head, _| hexadecimal(head, 6..76)),
    magic(b"MSCF\0\0\0\0", "a cabinet archive", UNPACK),
    magic(b"xar!\0", "a xar archive", UNPACK),
    magic(b"MSWIM\0\0\0", "a Windows image", UNPACK),
    magic(b"hsqs", "a SquashFS image", UNPACK).also(|_, binary| binary),
    // Compressed by what creel does not read.
    magic(b"\x1f\x9d", "compress data (.Z)", COMPRESS).also(|head, _| {
        head.get(2).is_some_and(|bits| bits & 0x60 == 0 && (9..=16).contains(&(bits & 0x1f)))
    }),
    magic(b"\x1f\xa0", "lzh data (.z)", GZIP).also(|_, binary| binary),
    magic(b"\x1f\x1e", "pack data (.z)", GZIP).also(|_, binary| binary),
    magic(b"\x1f\x8b", "gzip data of an unknown method", LEAVE).also(|_, binary| binary),
    magic(b"LZIP", "lzip data", "decode it first: lzip -dc FILE | creel ...")
        .also(|head, _| matches!(head.get(4), Some(0 | 1))),
    magic(b"\x89LZO\0\r\n\x1a\n", "lzop data", "decode it first: lzop -dc FILE | creel ..."),
    magic(
        b"\x02\x21\x4c\x18",
        "lz4 data in the legacy format",
        "decode it first: lz4 -dc FILE | creel ...",
    ),
    magic(b"\xff\x06\0\0sNaPpY", "snappy data", "decode it first: snzip -dc FILE | creel ..."),
    magic(b"\x37\xa4\x30\xec", "a zstd dictionary", LEAVE),
    magic(b"BZ0", "bzip data of version 0", LEAVE).also(|_, binary| binary),
    magic(b"BZ3v1", "bzip3 data", "decode it first: bzip3 -dc FILE | creel ...")
        .also(|_, binary| binary),
    magic(b"x\x01", "zlib data", ZLIB).also(|head, binary| binary || is_stored(head)),
    magic(b"x\x5e", "zlib data", ZLIB).also(|_, binary| binary),
    magic(b"x\x9c", "zlib data", ZLIB).also(|_, binary| binary),
    magic(b"x\xda", "zlib data", ZLIB).also(|_, binary| binary),
    // Documents.
    magic(b"%PDF-", "a PDF document", PDF).also(|head, _| {
        matches!(head.get(5..9), Some([b'0'..=b'9', b'.', b'0'..=b'9', b'\r' | b'\n' | b' ']))
            && holds(head, b" obj")
    }),
    magic(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document of the old format", OFFICE),
    magic(b"AT&TFORM", "a DjVu document", LEAVE).also(|_, binary| binary),
    // Images, sound and video.
    magic(b"\x89PNG\r\n\x1a\n", "a PNG image", LEAVE),
    magic(b"GIF87a", "a GIF image", LEAVE).also(|head, binary| binary || control(head, 6..13)),
    magic(b"GIF89a", "a GIF image", LEAVE).also(|head, binary| binary || control(head, 6..13)),
    magic(b"\xff\xd8\xff", "a JPEG image", LEAVE)
        .also(|head, _| head.get(3).is_none_or(|marker| *marker >= 0xc0)),
    magic(b"BM", "a BMP image", LEAVE).also(|head, _| {
        word(head, 6) == Some(0)
            && word(head, 10).is_some_and(|at| (26..1 << 24).contains(&at))
            && matches!(word(head, 14), Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
    }),
    magic(b"II*\0", "a TIFF image", LEAVE),
    magic(b"MM\0*", "a TIFF image", LEAVE),
    magic(b"II+\0\x08\0\0\0", "a TIFF image", LEAVE),
    magic(b"MM\0+\0\x08\0\0", "a TIFF image", LEAVE),
    magic(b"8BPS\0\x01", "a Photoshop image", LEAVE),
    magic(b"OggS\0", "Ogg sound or video", LEAVE),
    magic(b"fLaC\0\0\0\x22", "FLAC sound", LEAVE),
    magic(b"fLaC\x80\0\0\x22", "FLAC sound", LEAVE),
    magic(b"ID3", "MP3 sound", LEAVE).also(|head, _| {
        matches!(head.get(3..5), Some([2..=4, 0..=0xfe]))
            && head.get(5).is_some_and(|flags| flags & 0xf == 0)
    }),
    magic(b"\x1a\x45\xdf\xa3", "a Matroska or WebM video", LEAVE),
    magic(b"MThd\0\0\0\x06", "MIDI sound", LEAVE),
    magic(b"wOFF\0\x01\0\0", "a font", LEAVE),
    magic(b"wOF2", "a font", LEAVE).also(|_, binary| binary),
    magic(b"OTTO\0", "a font", LEAVE),
    // Programs.
    magic(b"\x7fELF", "an ELF program or library", LEAVE)
        .also(|head, _| head.len() == 4 || matches!(head.get(4..6), Some([1 | 2, 1 | 2]))),
    magic(b"MZ", "a Windows program", LEAVE).also(|head, binary| {
        let header = word(head, 0x3c).and_then(|at| usize::try_from(at).ok());
        let named =
            header.and_then(|at| head.get(at..)).is_some_and(|at| at.starts_with(b"PE\0\0"));
        named || binary && head.len() >= 64
    }),
    magic(b"\xfe\xed\xfa\xce", "a Mach-O program", LEAVE),
    magic(b"\xfe\xed\xfa\xcf", "a Mach-O program", LEAVE),
    magic(b"\xce\xfa\xed\xfe", "a Mach-O program", LEAVE),
    magic(b"\xcf\xfa\xed\xfe", "a Mach-O program", LEAVE),
    magic(b"\xca\xfe\xba\xbe\0\0\0", "a Java class or a universal Mach-O program", LEAVE),
    magic(b"\0asm", "a WebAssembly module", LEAVE),
    magic(b"BC\xc0\xde", "LLVM bitcode", LEAVE),
    magic(b"dex\n03", "an Android program", LEAVE).also(|_, binary| binary),
    magic(b"\x1bLua", "a compiled Lua program", LEAVE),
    // Tables and numbers.
    magic(b"PAR1\x15", "a Parquet file", TABLE),
    magic(b"PAR1", "a Parquet file", TABLE).also(|_, binary| binary),
    magic(b"PARE", "an encrypted Parquet file", TABLE).also(|_, binary| binary),
    magic(
        b"Obj\x01",
        "an Avro file",
        "write it as JSON Lines first: avro cat FILE | creel -f jsonl ...",
    ),
    magic(b"ORC", "an ORC file", TABLE).also(|_, binary| binary),
    magic(b"ARROW1\0\0", "an Arrow or Feather file", TABLE),
    magic(b"FEA1", "a Feather file", TABLE).also(|_, binary| binary),
    magic(b"\xff\xff\xff\xff", "an Arrow stream", TABLE).also(|head, binary| {
        binary && word(head, 4).is_some_and(|length| (8..1 << 24).contains(&length))
    }),
    magic(b"SQLite format 3\0", "an SQLite database", SQLITE),
    magic(b"\x89HDF\r\n\x1a\n", "an HDF5 file", TABLE),
    magic(b"\x93NUMPY", "a NumPy array", TABLE),
    magic(b"\x80", "a Python pickle", TABLE)
        .also(|head, _| matches!(head.get(1), Some(2..=5)) && head.get(2).is_some()),
    magic(b"CDF\x01", "a netCDF file", TABLE),
    magic(b"CDF\x02", "a netCDF file", TABLE),
    magic(b"CDF\x05", "a netCDF file", TABLE),
    magic(b"MATLAB 5.0 MAT-file", "a MATLAB file", TABLE)
        .also(|head, _| matches!(head.get(126..128), Some(b"IM" | b"MI"))),
    magic(b"RDX2\nX\n", "an R data file", TABLE).also(|_, binary| binary),
    magic(b"RDX3\nX\n", "an R data file", TABLE).also(|_, binary| binary),
    magic(b"SEQ\x06", "a Hadoop sequence file", TABLE),
    magic(b"REDIS0", "a Redis dump", TABLE).also(|_, binary| binary),
    // Logs and other records of machines.
    magic(b"\xd4\xc3\xb2\xa1", "a network capture", CAPTURE),
    magic(b"\xa1\xb2\xc3\xd4", "a network capture", CAPTURE),
    magic(b"\x4d\x3c\xb2\xa1", "a network capture", CAPTURE),
    magic(b"\xa1\xb2\x3c\x4d", "a network capture", CAPTURE),
    magic(b"\x0a\x0d\x0d\x0a", "a network capture", CAPTURE)
        .also(|head, _| matches!(word(head, 8), Some(0x1a2b_3c4d | 0x4d3c_2b1a))),
    magic(b"LPKSHHRH", "a systemd journal", JOURNAL).also(|_, binary| binary),
    magic(b"ElfFile\0", "a Windows event log", TABLE),
    magic(b"PACK\0\0\0", "a git pack", LEAVE),
    magic(b"DIRC\0\0\0", "a git index", LEAVE),
    magic(b"b0VIM ", "a swap file of vim", LEAVE).also(|_, binary| binary),
    magic(b"\0\0\0\x01Bud1", "a folder's settings of macOS", LEAVE),
    magic(b"QFI\xfb", "a disk image", UNPACK),
    magic(b"KDMV\x01", "a disk image", UNPACK),
    // Secrets.
    magic(b"Salted__", "data encrypted by openssl", KEY).also(|_, binary| binary),
    magic(b"age-encryption.org/v1\n", "data encrypted by age", KEY),
    magic(b"LUKS\xba\xbe", "an encrypted disk", KEY),
    magic(b"\x03\xd9\xa2\x9a", "a KeePass database", KEY),
];

/// Whether a magic number begins with this byte: most text is looked at no further.
static BEGIN: [bool; 256] = {
    let mut begin = [false; 256];
    let mut n = 0;
    while n < MAGICS.len() {
        begin[MAGICS[n].bytes[0] as usize] = true;
        n += 1;
    }
    begin
};

/// Formats with their magic number behind other bytes.
const BEHIND: &[Magic] = &[
    magic(
        b"\xb5\x2f\xfd",
        "zstd data of a version before 0.8",
        "decode it first with a zstd that has legacy support",
    )
    .at(1)
    .also(|head, _| matches!(head[0], 0x22..=0x27)),
    magic(b"WEBP", "a WebP image", LEAVE).at(8).also(|head, _| is_riff(head)),
    magic(b"WAVE", "WAVE sound", LEAVE).at(8).also(|head, _| is_riff(head)),
    magic(b"AVI ", "an AVI video", LEAVE).at(8).also(|head, _| is_riff(head)),
    magic(b"ftyp", "a video or an image of the MPEG-4 family", LEAVE)
        .at(4)
        .also(|head, _| head[..2] == [0, 0]),
    magic(b"DUCK", "a DuckDB database", TABLE).at(8).also(|_, binary| binary),
];

fn word(head: &[u8], at: usize) -> Option<u32> {
    head.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn holds(head: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(head, needle).is_some()
}

/// Whether there is a control character, other than white space, in this part.
fn control(head: &[u8], part: std::ops::Range<usize>) -> bool {
    head.get(part).is_some_and(|part| part.iter().any(|byte| *byte < 9 || (14..32).contains(byte)))
}

fn hexadecimal(head: &[u8], part: std::ops::Range<usize>) -> bool {
    head.get(part).is_some_and(|part| part.iter().all(u8::is_ascii_hexdigit))
}

/// `RIFF`, and a length that is not four characters of text.
fn is_riff(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head[4..8].iter().any(|byte| !(32..127).contains(byte))
}

/// A stored block of zlib data, which is not compressed: its length stands twice, once inverted.
fn is_stored(head: &[u8]) -> bool {
    matches!(head, [_, _, 0 | 1, a, b, c, d, ..] if (*a, *b) == (!*c, !*d))
}

/// The header of `.lzma`, which has no magic number: parameters, a dictionary of a usual size, and
/// a length that is unknown or below 256 GiB.
fn is_lzma(head: &[u8]) -> bool {
    let Some((header, rest)) = head.split_first_chunk::<13>() else { return false };
    let dictionary = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    let usual = dictionary == u32::MAX
        || dictionary >= 1 << 12
            && (dictionary.is_power_of_two()
                || dictionary % 3 == 0 && (dictionary / 3).is_power_of_two());
    let length = header[5..].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    // The range coder's first byte is 0.
    header[0] < 225
        && usual
        && (length == u64::MAX || length < 1 << 38)
        && rest.first().is_none_or(|byte| *byte == 0)
}
