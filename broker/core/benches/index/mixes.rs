//! What clients subscribe to, in the manners seen in the field.

/// A manner of subscribing.
pub(crate) struct Mix {
    pub(crate) name: &'static str,
    wanted: fn(usize) -> (String, Option<String>),
    topic: fn(usize) -> String,
    /// How many subscriptions a client has.
    each: usize,
}

/// One subscription.
pub(crate) struct Wanted {
    pub(crate) filter: String,
    pub(crate) share: Option<String>,
    pub(crate) client: usize,
}

impl Mix {
    /// The subscription of this number.
    pub(crate) fn wanted(&self, number: usize) -> Wanted {
        let (filter, share) = (self.wanted)(number);
        Wanted { filter, share, client: number / self.each }
    }

    /// A topic that this subscription matches.
    pub(crate) fn topic(&self, number: usize) -> String {
        (self.topic)(number)
    }

    /// How many clients make so many subscriptions.
    pub(crate) fn clients(&self, count: usize) -> usize {
        count.div_ceil(self.each)
    }

    pub(crate) fn named(name: &str) -> &'static Self {
        MIXES.iter().find(|mix| mix.name == name).unwrap()
    }
}

pub(crate) const MIXES: &[Mix] = &[
    Mix {
        name: "exact",
        wanted: |number| (format!("site/{}/device/{number}/state", number % 997), None),
        topic: |number| format!("site/{}/device/{number}/state", number % 997),
        each: 1,
    },
    Mix {
        name: "plus",
        wanted: |number| (format!("site/+/device/{number}/state"), None),
        topic: |number| format!("site/{}/device/{number}/state", number % 997),
        each: 1,
    },
    Mix {
        name: "tails",
        wanted: |number| (format!("fleet/{}/vehicle/{number}/#", number % 997), None),
        topic: |number| format!("fleet/{}/vehicle/{number}/engine/speed", number % 997),
        each: 1,
    },
    Mix {
        name: "shared",
        wanted: |number| (format!("jobs/{}/+", number / 4), Some("workers".to_owned())),
        topic: |number| format!("jobs/{}/new", number / 4),
        each: 1,
    },
    // Each client its own corner, as in most products.
    Mix {
        name: "clients",
        wanted: |number| match (number / 3, number % 3) {
            (client, 0) => (format!("client/{client}/command/+"), None),
            (client, 1) => (format!("client/{client}/settings"), None),
            (client, _) => (format!("client/{client}/update/#"), None),
        },
        topic: |number| match (number / 3, number % 3) {
            (client, 0) => format!("client/{client}/command/reboot"),
            (client, 1) => format!("client/{client}/settings"),
            (client, _) => format!("client/{client}/update/firmware/1"),
        },
        each: 3,
    },
    Mix {
        name: "mixed",
        wanted: |number| (MIXES[MIXED[number % MIXED.len()]].wanted)(number),
        topic: |number| (MIXES[MIXED[number % MIXED.len()]].topic)(number),
        each: 1,
    },
    Mix {
        name: "one filter",
        wanted: |_| ("news/today".to_owned(), None),
        topic: |_| "news/today".to_owned(),
        each: 1,
    },
    Mix { name: "one wildcard", wanted: |_| ("news/+".to_owned(), None), topic: |_| "news/today".to_owned(), each: 1 },
];

/// Of ten subscriptions six are exact, two have `+`, one a tail and one is shared.
const MIXED: [usize; 10] = [0, 0, 1, 0, 2, 0, 0, 1, 0, 3];
