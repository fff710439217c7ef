//! Many objects of one kind, a bit for each cell: [`Grid`].

use std::ops::BitAnd;

use super::game::SIDE;

const CELLS: u32 = (SIDE * SIDE) as u32;
const ALL: u128 = (1 << CELLS) - 1;
const COLUMN: u128 = {
    let (mut column, mut y) = (0, 0);
    while y < SIDE {
        column |= 1 << (SIDE * y);
        y += 1;
    }
    column
};

/// A set of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grid(u128);

impl Grid {
    /// Returns the cells of these rows and columns.
    pub fn block(rows: std::ops::Range<i32>, columns: std::ops::Range<i32>) -> Self {
        let mut block = Self::default();
        for y in rows {
            columns.clone().for_each(|x| block.insert(x, y));
        }
        block
    }

    pub fn contains(self, x: i32, y: i32) -> bool {
        self.0 >> index(x, y) & 1 == 1
    }

    pub fn insert(&mut self, x: i32, y: i32) {
        self.0 |= 1 << index(x, y);
    }

    pub fn remove(&mut self, x: i32, y: i32) {
        self.0 &= !(1 << index(x, y));
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Returns the cells of column `x`.
    pub fn column(self, x: i32) -> Self {
        Self(self.0 & COLUMN << x)
    }

    /// Returns the row of the lowest cell, if there is a cell.
    pub fn lowest_row(self) -> Option<i32> {
        self.0.checked_ilog2().map(|index| index as i32 / SIDE as i32)
    }

    /// Moves all cells up; the top row is lost.
    pub fn up(self) -> Self {
        Self(self.0 >> SIDE)
    }

    /// Moves all cells down; the bottom row is lost.
    pub fn down(self) -> Self {
        Self(self.0 << SIDE & ALL)
    }

    /// Moves all cells down; the bottom row comes back at the top.
    pub fn wrapped_down(self) -> Self {
        Self(self.down().0 | self.0 >> (CELLS - SIDE as u32))
    }

    /// Moves all cells a column left (-1) or right (1), where none is in the last column on that side.
    pub fn sideways(self, direction: i32) -> Self {
        Self(if direction < 0 { self.0 >> 1 } else { self.0 << 1 })
    }

    /// Calls `mark(x, y)` for each cell.
    pub fn for_each(self, mut mark: impl FnMut(i32, i32)) {
        let mut left = self.0;
        while left != 0 {
            let index = left.trailing_zeros() as i32;
            mark(index % SIDE as i32, index / SIDE as i32);
            left &= left - 1;
        }
    }
}

impl BitAnd for Grid {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

fn index(x: i32, y: i32) -> i32 {
    y * SIDE as i32 + x
}
