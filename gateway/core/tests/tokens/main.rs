//! Transfer tokens: published vectors, properties, and the acceptance of a usage point.

mod acceptance;
mod codec;
mod ea07;
mod key_changes;
mod properties;
mod site;
mod vectors;
