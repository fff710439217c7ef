//! The networks of the paper, each a body whose output layer is left to the heads.
