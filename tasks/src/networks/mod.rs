//! The networks of the paper, each a body whose output layer is left to the heads.

mod language_model;

pub use language_model::LanguageModel;
