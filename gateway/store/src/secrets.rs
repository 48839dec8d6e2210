//! Secrets: apart from the rest of the read side, so that who asks for them is easy to find.

use crate::batch::{NodeKey, PersonSecret};
use crate::error::{Result, StoreError};
use crate::read::Reader;
use crate::rows::{self, Table};
use gateway_core::NodeId;
use gateway_core::person::{Person, Role, SecretHash, key};
use rusqlite::{OptionalExtension, Row, Transaction, params};

impl Reader {
    /// The key of a node, for its label and for simulated nodes; never for a page, a log or the API.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn node_key(&self, node: NodeId) -> Result<Option<NodeKey>> {
        let sql = "SELECT key FROM node_key WHERE node = ?1";
        Ok(self
            .conn
            .query_row(sql, [node.0], |row| row.get(0))
            .optional()?)
    }

    /// A person by name, whatever its case, and the hash to check them by, for logging in; never for a page, a log or the API.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn person(&self, name: &str) -> Result<Option<(Person, Option<PersonSecret>)>> {
        let sql = "SELECT person.body, hash, must_change FROM person \
                   LEFT JOIN person_secret USING (name) WHERE name = ?1";
        let row = |row: &Row<'_>| -> rusqlite::Result<(String, Option<String>, Option<bool>)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        };
        let mut query = self.conn.prepare_cached(sql)?;
        let Some((body, hash, must_change)) = query.query_row([key(name)], row).optional()? else {
            return Ok(None);
        };
        let person: Person = rows::entity(Table::Person, name, &body)?;
        let unusable = || StoreError::damaged(format!("the secret of {name} cannot be read"));
        let secret = hash.map(|hash| {
            let hash = SecretHash::new(hash).ok_or_else(unusable)?;
            let must_change = must_change.unwrap_or(false);
            Ok::<_, StoreError>(PersonSecret { hash, must_change })
        });
        Ok(Some((person, secret.transpose()?)))
    }
}

impl Reader {
    /// The program whose bearer secret has this hash (`sha256:…`).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn program(&self, hash: &str) -> Result<Option<Person>> {
        let sql = "SELECT person.body FROM person JOIN person_secret USING (name) WHERE hash = ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let body: Option<String> = query.query_row([hash], |row| row.get(0)).optional()?;
        let person = body.map(|body| rows::entity::<Person>(Table::Person, "of a secret", &body));
        Ok(person
            .transpose()?
            .filter(|person| person.role == Role::Program))
    }
}

/// Writes the secrets of people, in order.
pub(crate) fn write(
    tx: &Transaction<'_>,
    secrets: &[(String, Option<PersonSecret>)],
) -> Result<()> {
    for (name, secret) in secrets {
        match secret {
            Some(secret) => tx
                .prepare_cached("REPLACE INTO person_secret VALUES (?1, ?2, ?3)")?
                .execute(params![key(name), secret.hash.text(), secret.must_change])?,
            None => tx
                .prepare_cached("DELETE FROM person_secret WHERE name = ?1")?
                .execute([key(name)])?,
        };
    }
    Ok(())
}
