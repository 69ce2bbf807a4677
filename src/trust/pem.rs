//! PEM texts: the blocks in them, and certificates as we write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::pem::Pem;

/// One block of a PEM text.
pub(super) struct Block {
    /// `CERTIFICATE`.
    pub(super) label: String,
    /// The DER in it.
    pub(super) contents: Vec<u8>,
}

/// Why a text is not made of PEM blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// The blocks of a text, in order. What stands around them does not matter.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, Broken> {
    Pem::iter_from_buffer(text.as_bytes())
        .map(|pem| match pem {
            Ok(Pem { label, contents }) => Ok(Block { label, contents }),
            Err(_) => Err(Broken),
        })
        .collect()
}

/// The DER of every `CERTIFICATE` block.
pub(super) fn certificates(text: &str) -> Result<Vec<Vec<u8>>, Broken> {
    let blocks = blocks(text)?;
    Ok(blocks.into_iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.contents).collect())
}

/// The labels of a text's blocks, readable or not.
pub(super) fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

/// A certificate as PEM: 64 columns, one line feed a line, nothing around it.
///
/// Primaries that share a remote must carry byte-equal roots, so a root is always written anew.
pub(super) fn certificate(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let encoded = STANDARD.encode(der);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
