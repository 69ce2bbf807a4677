//! The parser counts characters, a span counts bytes.

/// One sample every so many characters.
const STRIDE: usize = 64;

/// Bytes of a text by characters from some byte on.
pub(super) struct Offsets<'t> {
    text: &'t str,
    from: usize,
    /// The byte of every [`STRIDE`]th character; empty for a text of ASCII alone.
    samples: Vec<u32>,
}

impl<'t> Offsets<'t> {
    pub(super) fn new(text: &'t str, from: usize) -> Self {
        let rest = &text[from..];
        let samples = if rest.is_ascii() {
            Vec::new()
        } else {
            let byte = |(at, _)| u32::try_from(from + at).expect("a text is at most u32::MAX bytes");
            rest.char_indices().step_by(STRIDE).map(byte).collect()
        };
        Self { text, from, samples }
    }

    /// The byte at which a character starts; the end of the text for one behind it.
    pub(super) fn byte(&self, character: usize) -> u32 {
        let bytes = if self.samples.is_empty() {
            (self.from + character).min(self.text.len())
        } else {
            match self.samples.get(character / STRIDE) {
                None => self.text.len(),
                Some(sample) => {
                    let sample = *sample as usize;
                    let rest = &self.text[sample..];
                    sample + rest.char_indices().nth(character % STRIDE).map_or(rest.len(), |(at, _)| at)
                }
            }
        };
        u32::try_from(bytes).expect("a text is at most u32::MAX bytes")
    }

    /// The byte behind the character at `byte`; the same at a line's end.
    pub(super) fn end_of_char(&self, byte: u32) -> u32 {
        match self.text[byte as usize..].chars().next() {
            None | Some('\n' | '\r') => byte,
            Some(character) => byte + u32::try_from(character.len_utf8()).expect("at most four"),
        }
    }
}
