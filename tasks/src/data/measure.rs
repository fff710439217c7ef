//! The metric of a task.

/// The metric that is logged besides loss and top-1 accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// No other metric.
    Class,
    /// Top-5 accuracy.
    TopFive,
    /// Bits per character.
    Characters,
    /// Perplexity.
    Words,
}
