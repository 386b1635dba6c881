//! What is measured: `tests/bench/scenarios.toml`, and shapes that the command line makes up.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};

use super::figures::FIGURES;
use super::peers::Broker;
use super::{Failure, Options};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenarios {
    /// Groups that are measured unless something else is asked for.
    usual: Vec<String>,
    scenario: Vec<Scenario>,
}

/// One thing to measure.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    pub(super) name: String,
    group: String,
    pub(super) meaning: String,
    #[serde(default)]
    pub(super) kind: Kind,
    shape: Option<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    pub(super) cores: Cores,
    #[serde(default)]
    pub(super) tls: bool,
    brokers: Option<Vec<String>>,
    #[serde(default)]
    pub(super) targets: Vec<Target>,
}

/// A command of the generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Run,
    Idle,
    Filters,
    Retained,
    Durable,
}

/// What broker and generator run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cores {
    #[default]
    One,
    Both,
}

/// What we hold a broker to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub(super) figure: String,
    #[serde(default = "midge")]
    pub(super) broker: String,
    pub(super) of: Option<String>,
    pub(super) scenario: Option<String>,
    #[serde(default, deserialize_with = "ratio")]
    pub(super) at_most: Option<f64>,
    #[serde(default, deserialize_with = "ratio")]
    pub(super) at_least: Option<f64>,
}

fn midge() -> String {
    "midge".to_owned()
}

/// 1.5, or "1/60".
fn ratio<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ratio {
        Number(f64),
        Fraction(String),
    }
    match Ratio::deserialize(value)? {
        Ratio::Number(number) => Ok(Some(number)),
        Ratio::Fraction(text) => {
            let parts = text.split_once('/').and_then(|(over, under)| Some((over.parse().ok()?, under.parse().ok()?)));
            let (over, under): (f64, f64) =
                parts.ok_or_else(|| serde::de::Error::custom(format!("\"{text}\" is no fraction")))?;
            Ok(Some(over / under))
        }
    }
}

impl Scenarios {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::new(format!("{}: {why}", file.display()));
        Self::parse(&fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let scenarios: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for scenario in &scenarios.scenario {
            for target in &scenario.targets {
                let figure = FIGURES.iter().find(|figure| figure.name == target.figure && figure.kind == scenario.kind);
                if figure.is_none() {
                    return Err(format!("{}: there is no figure {:?}", scenario.name, target.figure));
                }
                if target.at_most.is_some() == target.at_least.is_some() {
                    return Err(format!("{}: a target is either at_most or at_least", scenario.name));
                }
            }
        }
        Ok(scenarios)
    }

    /// Those with these names or in these groups, the usual ones unless any are named, and shapes that have no name.
    pub(super) fn choose(&self, names: &[String]) -> Result<Vec<Scenario>, Failure> {
        let names = if names.is_empty() { &self.usual } else { names };
        let mut chosen: Vec<Scenario> = Vec::new();
        for name in names {
            let found = self
                .scenario
                .iter()
                .filter(|scenario| name == "all" || *name == scenario.name || *name == scenario.group);
            let found: Vec<Scenario> = found.cloned().collect();
            let new = if found.is_empty() { vec![Scenario::of_shape(name)?] } else { found };
            chosen.extend(new);
        }
        let mut seen = std::collections::BTreeSet::new();
        chosen.retain(|scenario| seen.insert(scenario.name.clone()));
        Ok(chosen)
    }

    /// Prints what there is.
    pub(super) fn list(&self) {
        println!("| group | scenario | what it is |\n|---|---|---|");
        for scenario in &self.scenario {
            println!("| {} | {} | {} |", scenario.group, scenario.name, scenario.meaning);
        }
        println!("\nUnless something else is asked for: {}.", self.usual.join(", "));
    }
}

impl Scenario {
    /// The generator judges the shape; here it must only look like one.
    fn of_shape(shape: &str) -> Result<Self, Failure> {
        if !shape.starts_with(|first: char| first.is_ascii_digit()) || !shape.contains(['-', '→']) {
            return Err(Failure::new(format!(
                "there is no scenario or group {shape:?}; `cargo xtask bench list` has all"
            )));
        }
        Ok(Self {
            name: shape.to_owned(),
            group: "own".to_owned(),
            meaning: "as asked for".to_owned(),
            kind: Kind::Run,
            shape: None,
            arguments: Vec::new(),
            cores: Cores::One,
            tls: false,
            brokers: None,
            targets: Vec::new(),
        })
    }

    /// Whether messages come at a rate that is given.
    pub(super) fn is_paced(&self) -> bool {
        self.kind == Kind::Run && self.shape().contains("/s")
    }

    fn shape(&self) -> &str {
        self.shape.as_ref().unwrap_or(&self.name)
    }

    /// Whether this broker is measured here.
    pub(super) fn includes(&self, broker: &Broker) -> bool {
        let named = match &self.brokers {
            Some(names) => names.contains(&broker.name),
            None => !broker.is_variant(),
        };
        let qos_0 = match self.kind {
            Kind::Run => !self.shape().contains(",q1") && !self.shape().contains(",q2"),
            Kind::Idle => true,
            Kind::Filters | Kind::Retained | Kind::Durable => false,
        };
        named && (broker.serves_tls() || !self.tls) && (broker.acknowledges() || qos_0)
    }

    /// The generator's arguments: its command, then what is not the same for all scenarios.
    pub(super) fn command(&self, options: &Options) -> Vec<String> {
        let (seconds, warm_up) = (format!("--seconds={}", options.seconds), format!("--warm-up={}", options.warm_up));
        let mut command = match self.kind {
            Kind::Run => vec!["run".to_owned(), seconds, warm_up],
            Kind::Idle => vec!["idle".to_owned()],
            Kind::Filters => vec!["filters".to_owned()],
            Kind::Retained => vec!["retained".to_owned()],
            Kind::Durable => vec!["durable".to_owned(), seconds, warm_up],
        };
        if self.tls {
            command.push("--tls".to_owned());
        }
        command.extend(self.arguments.iter().cloned());
        if self.kind == Kind::Run {
            command.push(self.shape().to_owned());
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Scenarios {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench/scenarios.toml");
        Scenarios::read(&file).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    #[test]
    fn our_scenarios_have_names_of_their_own_and_groups_that_exist() {
        let scenarios = ours();
        let mut names: Vec<&String> = scenarios.scenario.iter().map(|scenario| &scenario.name).collect();
        names.sort();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        for group in &scenarios.usual {
            assert!(scenarios.scenario.iter().any(|scenario| scenario.group == *group), "{group}");
        }
        for target in scenarios.scenario.iter().flat_map(|scenario| &scenario.targets) {
            assert!(target.scenario.as_ref().is_none_or(|name| names.contains(&name)), "{target:?}");
        }
    }

    #[test]
    fn scenarios_are_chosen_by_name_group_and_shape() {
        let chosen = |names: &[&str]| -> Vec<String> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let chosen = ours().choose(&names).unwrap_or_else(|failure| panic!("{failure:?}"));
            chosen.into_iter().map(|scenario| scenario.name).collect()
        };
        assert_eq!(chosen(&["1-1", "3-7,q1,100B", "1-1"]), ["1-1", "3-7,q1,100B"]);
        assert!(chosen(&["paced"]).contains(&"500-500,20000/s".to_owned()));
        assert!(chosen(&[]).len() < chosen(&["all"]).len());
        assert!(ours().choose(&["nonsense".to_owned()]).is_err());
    }

    #[test]
    fn targets_are_fractions_or_numbers_of_figures_there_are() {
        let text = |target: &str| {
            format!(
                "usual = []\n[[scenario]]\nname = \"1-1\"\ngroup = \"g\"\nmeaning = \"m\"\ntargets = [{{ {target} }}]"
            )
        };
        let parsed =
            Scenarios::parse(&text(r#"figure = "cpu", of = "mosquitto", at_most = "1/4""#)).expect("a scenario");
        assert_eq!(parsed.scenario[0].targets[0].at_most, Some(0.25));
        for wrong in [r#"figure = "speed", at_most = 1"#, r#"figure = "cpu""#, r#"figure = "cpu", at_most = "a/b""#] {
            assert!(Scenarios::parse(&text(wrong)).is_err(), "{wrong}");
        }
    }
}
