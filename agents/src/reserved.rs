//! Vectors that will hold a known number of items: [`with_reserved`].

/// Reserves space for `all` items, if the system grants it; unused space takes no memory. A vector that grows as it is
/// filled leaves copies of itself behind, which the allocator keeps.
pub(crate) fn with_reserved<T>(mut items: Vec<T>, all: usize) -> Vec<T> {
    let _ = items.try_reserve_exact(all.saturating_sub(items.len())); // on failure, the vector grows instead
    items
}
