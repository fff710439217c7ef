//! What a task is judged by.

/// What is told of a task beside its loss and how often the likeliest class is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Nothing.
    Class,
    /// How often the right class is among the five likeliest.
    TopFive,
    /// Bits per character.
    Characters,
    /// Perplexity.
    Words,
}
