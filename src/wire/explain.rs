//! The answers to `explain`.

use super::{EXPLAIN_SCHEMA, wire};

wire! {
    /// The page of a diagnosis.
    pub struct CataloguePage {
        /// The name and version of this form.
        #[schemars(extend("const" = EXPLAIN_SCHEMA))]
        pub schema: String,
        /// The name.
        pub name: String,
        /// The kind of failure.
        pub class: String,
        /// Who must change something.
        pub owner: String,
        /// The diagnosis in one line.
        pub title: String,
        /// The page in Markdown.
        pub page: String,
    }

    /// Every diagnosis, in the order of the checks.
    pub struct Catalogue {
        /// The name and version of this form.
        #[schemars(extend("const" = EXPLAIN_SCHEMA))]
        pub schema: String,
        /// The diagnoses.
        pub diagnoses: Vec<CatalogueEntry>,
    }

    /// One diagnosis of the catalogue.
    pub struct CatalogueEntry {
        /// The name.
        pub name: String,
        /// The kind of failure.
        pub class: String,
        /// Who must change something.
        pub owner: String,
        /// The diagnosis in one line.
        pub title: String,
    }
}
