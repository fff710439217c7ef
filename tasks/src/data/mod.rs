//! Data sets, as their publishers lay them out.
