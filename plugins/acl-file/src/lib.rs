//! Midge's bundled plugin `acl-file`: who may publish and subscribe to what, from a file.
//!
//! The file's rules become permission data, once per identity; the broker evaluates them itself from then on.

mod rules;

use midge_plugin_sdk::files::Watched;
use midge_plugin_sdk::{Authorizer, Environment, Identity, IdentityId, Lifecycle, Permission, config, plugin};
use rules::Rules;
use serde::Deserialize;

/// The plugin's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The rules file; it must be granted as well.
    file: String,
}

struct AclFile {
    rules: Watched<Rules>,
}

impl Lifecycle for AclFile {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { file } = config()?;
        Ok(Self { rules: Watched::open(file, Rules::parse)? })
    }
}

impl Authorizer for AclFile {
    fn permissions(&mut self, _: IdentityId, who: &Identity) -> Result<Option<Vec<Permission>>, String> {
        Ok(Some(self.rules.get().of(&who.principal)))
    }
}

plugin!(AclFile: lifecycle, authz);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use midge_plugin_sdk::testing;

    use super::*;

    fn start(text: &str) -> Result<AclFile, String> {
        testing::set_config(serde_json::json!({ "file": "rules.acl" }));
        testing::set_file("rules.acl", text);
        AclFile::init(&testing::environment())
    }

    fn count(plugin: &mut AclFile) -> usize {
        plugin.permissions(1, &testing::identity("client", "alice")).unwrap().unwrap().len()
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let mut plugin = start("topic a").unwrap();
        assert_eq!(count(&mut plugin), 1);
        testing::set_file("rules.acl", "topic a\ntopic b");
        assert_eq!(count(&mut plugin), 2);
    }

    #[test]
    fn a_file_that_turns_bad_or_goes_away_leaves_the_old_rules() {
        let mut plugin = start("topic a").unwrap();
        testing::set_file("rules.acl", "topc b");
        assert_eq!(count(&mut plugin), 1);
        testing::remove_file("rules.acl");
        assert_eq!(count(&mut plugin), 1);
    }

    #[test]
    fn it_does_not_start_without_good_rules() {
        assert!(start("nonsense").is_err_and(|why| why.starts_with("rules.acl: line 1: ")));
        testing::set_config(serde_json::json!({ "file": "elsewhere" }));
        assert!(AclFile::init(&testing::environment()).is_err_and(|why| why.contains("files = [\"elsewhere\"]")));
        testing::set_config(serde_json::json!({ "path": "rules.acl" }));
        assert!(AclFile::init(&testing::environment()).is_err_and(|why| why.contains("unknown field `path`")));
    }

    #[test]
    fn who_is_not_in_the_file_gets_the_rules_for_everybody_and_no_more() {
        let mut plugin = start("user bob\ntopic bob/#").unwrap();
        assert_eq!(count(&mut plugin), 0);
    }
}
