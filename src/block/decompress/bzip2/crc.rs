//! bzip2's checksum: CRC-32 with the highest bit first.

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc << 1) ^ (if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 });
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[n - 1][byte];
            tables[n][byte] = (crc << 8) ^ tables[0][(crc >> 24) as usize];
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// The checksum of these bytes; eight at a time, by a table for the distance of each.
pub(super) fn of(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut crc = !0;
    for word in words {
        let word = u64::from_be_bytes(*word) ^ u64::from(crc) << 32;
        crc = (0..8).fold(0, |crc, n| crc ^ TABLES[n][(word >> (8 * n)) as usize & 0xff]);
    }
    for byte in rest {
        crc = (crc << 8) ^ TABLES[0][(crc >> 24) as usize ^ usize::from(*byte)];
    }
    !crc
}
