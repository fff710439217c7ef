//! The primary metric of a task.

/// The primary metric of a task; the loss and top-1 accuracy are always measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// The loss, in nats per image.
    Loss,
    /// The loss, in nats per image, with top-5 accuracy.
    Top5,
    /// Bits per character.
    BitsPerChar,
    /// Perplexity.
    Perplexity,
}
