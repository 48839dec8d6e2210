//! Secrets: apart from the rest of the read side, so that who asks for them is easy to find.

use crate::batch::NodeKey;
use crate::error::StoreError;
use crate::read::Reader;
use gateway_core::NodeId;
use rusqlite::OptionalExtension;

impl Reader {
    /// The key of a node, for its label and for simulated nodes; never for a page, a log or the API.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn node_key(&self, node: NodeId) -> Result<Option<NodeKey>, StoreError> {
        let sql = "SELECT key FROM node_key WHERE node = ?1";
        Ok(self
            .conn
            .query_row(sql, [node.0], |row| row.get(0))
            .optional()?)
    }
}
