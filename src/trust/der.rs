//! The few bytes of DER that no library writes for us.

/// A value with its tag and length.
fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            let length = contents.len().to_be_bytes();
            let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            let count = u8::try_from(significant.len()).expect("a length has at most eight bytes");
            bytes.push(0x80 | count);
            bytes.extend(significant);
        }
    }
    bytes.extend_from_slice(contents);
    bytes
}

/// A SEQUENCE of values.
pub(super) fn sequence(values: &[&[u8]]) -> Vec<u8> {
    value(0x30, &values.concat())
}

/// A BIT STRING of whole bytes.
pub(super) fn bit_string(contents: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], contents].concat())
}

/// PKCS#8 around a key in the older format of its kind (SEC1, PKCS#1).
///
/// `algorithm` is the AlgorithmIdentifier of the public key, which is the private key's too.
pub(super) fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    sequence(&[&[0x02, 0x01, 0x00], algorithm, &value(0x04, key)])
}

/// How many bytes a value's tag and length take.
pub(super) fn header_length(value: &[u8]) -> Option<usize> {
    match *value.get(1)? {
        short if short < 0x80 => Some(2),
        long => Some(2 + usize::from(long & 0x7f)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_as_few_bytes_as_they_need() {
        assert_eq!(sequence(&[&[5, 0]]), [0x30, 2, 5, 0]);
        assert_eq!(value(0x04, &[7; 127])[..2], [0x04, 127]);
        assert_eq!(value(0x04, &[7; 128])[..3], [0x04, 0x81, 128]);
        assert_eq!(value(0x04, &[7; 256])[..4], [0x04, 0x82, 1, 0]);
    }
}
