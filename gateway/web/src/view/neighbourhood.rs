//! The neighbourhood at a glance.

use super::alarms::AlarmLine;
use super::facts::{PointFacts, SupplyLook};
use crate::backup::BackupFacts;
use crate::committed::Neighbourhood;
use crate::desk::{CardState, CloudState, NoticeChannel, PinFacts, Problem};
use crate::format::{self, Money};
use crate::update::UpdateFacts;
use askama::Template;
use gateway_core::{Moment, Rules, UtcSeconds};

/// Alarms shown on the first page; the rest are one touch away.
const ALARMS_SHOWN: usize = 3;

/// Which usage points are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    All,
    Disconnected,
    Low,
    Silent,
}

impl Filter {
    const ALL: [Self; 4] = [Self::All, Self::Disconnected, Self::Low, Self::Silent];

    /// From the query; anything unknown is everything.
    pub(crate) fn from_query(text: &str) -> Self {
        let named = Self::ALL.into_iter().find(|filter| filter.name() == text);
        named.unwrap_or(Self::All)
    }

    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Disconnected => "disconnected",
            Self::Low => "low",
            Self::Silent => "silent",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Disconnected => "Disconnected",
            Self::Low => "Low credit",
            Self::Silent => "Not heard",
        }
    }

    fn takes(self, facts: &PointFacts) -> bool {
        match self {
            Self::All => true,
            Self::Disconnected => !facts.reasons.is_empty(),
            Self::Low => facts.is_low,
            Self::Silent => facts.is_silent,
        }
    }
}

/// A link that narrows the list.
pub(crate) struct Chip {
    pub name: &'static str,
    pub words: &'static str,
    pub count: usize,
    pub is_current: bool,
}

/// A usage point in the list.
pub(crate) struct Row {
    pub id: String,
    pub label: String,
    pub available: Money,
    pub is_low: bool,
    pub units_left: Option<String>,
    pub look: SupplyLook,
    pub why: String,
    pub power: Option<String>,
    pub heard: Option<String>,
    pub is_silent: bool,
}

/// The link to the head-end.
pub(crate) struct CloudTile {
    pub is_well: bool,
    pub words: &'static str,
    pub trouble: Option<String>,
    pub heard: Option<String>,
    pub journal: u64,
    pub profile: u64,
    pub bytes_today: u64,
    pub bytes_before: u64,
}

impl CloudTile {
    fn new(cloud: CloudState, now: UtcSeconds) -> Self {
        let was_heard = cloud.heard_at.0 > 0;
        Self {
            is_well: cloud.is_well,
            words: cloud.words,
            trouble: cloud.trouble,
            heard: was_heard.then(|| format::ago(cloud.heard_at, now)),
            journal: cloud.backlog.0,
            profile: cloud.backlog.1,
            bytes_today: cloud.bytes_per_usage_point.0,
            bytes_before: cloud.bytes_per_usage_point.1,
        }
    }
}

/// What is told outside.
pub(crate) struct NoticesTile {
    pub is_well: bool,
    pub waiting: u64,
    pub channels: Vec<NoticeChannel>,
}

impl NoticesTile {
    /// Nothing at a site that tells nobody.
    fn new(channels: Vec<NoticeChannel>) -> Option<Self> {
        (!channels.is_empty()).then(|| Self {
            is_well: channels.iter().all(|channel| channel.trouble.is_none()),
            waiting: channels.iter().map(|channel| channel.waiting).sum(),
            channels,
        })
    }
}

/// The last backup.
pub(crate) struct BackupTile {
    pub is_overdue: bool,
    /// How long ago; nothing: none yet.
    pub ago: Option<String>,
    pub place: Option<String>,
    pub kilobytes: u64,
    pub may_download: bool,
}

impl BackupTile {
    fn new(backup: &BackupFacts, may: bool) -> Self {
        let age = i64::try_from(backup.age_s).unwrap_or(i64::MAX);
        let ago = || format::ago(UtcSeconds(0), UtcSeconds(age));
        Self {
            is_overdue: backup.is_overdue,
            ago: backup.at.map(|_| ago()),
            place: backup.place.clone(),
            kilobytes: backup.bytes.div_ceil(1_000),
            may_download: may && backup.file.is_some(),
        }
    }
}

/// Feeder against meters.
pub(crate) struct Balance {
    pub feeder: String,
    pub meters: String,
    pub difference: String,
    pub percent: Option<String>,
    /// Lengths for the picture, out of 1,000.
    pub feeder_length: i64,
    pub meters_length: i64,
}

/// A count of rejected frames.
pub(crate) struct Rejected {
    pub reason: String,
    pub count: u64,
}

/// How worn the memory card is.
pub(crate) struct CardTile {
    pub is_well: bool,
    pub left: String,
    pub a_day: Option<String>,
    pub written: String,
    pub endurance: String,
}

impl CardTile {
    fn new(card: CardState) -> Self {
        let left = |tenths: u64| match tenths {
            0 if card.written >= card.endurance => "used up".into(),
            0 => "under 0.1 years".into(),
            // Nobody knows what becomes of a card in so many years.
            1_000.. => "100 years or more".into(),
            1..1_000 => format!("{}.{} years", tenths / 10, tenths % 10),
        };
        Self {
            is_well: !card.is_near_its_end(),
            left: card
                .years_left_tenths
                .map_or_else(|| "not known yet".into(), left),
            a_day: card.a_day.map(format::bytes),
            written: format::bytes(card.written),
            endurance: format::bytes(card.endurance),
        }
    }
}

/// How the gateway is doing: problems, the head-end, channels of notices, pins, the memory card, updates.
type Shown<'a> = (
    &'a [Problem],
    Option<CloudState>,
    Vec<NoticeChannel>,
    Vec<PinFacts>,
    Option<CardState>,
    Option<UpdateFacts>,
);

#[derive(Template)]
#[template(path = "neighbourhood.html")]
pub(crate) struct NeighbourhoodView<'a> {
    now: String,
    cloud: Option<CloudTile>,
    notices: Option<NoticesTile>,
    backup: Option<BackupTile>,
    pins: Vec<PinFacts>,
    card: Option<CardTile>,
    update: Option<UpdateFacts>,
    problems: &'a [Problem],
    clock_trusted: bool,
    rows: Vec<Row>,
    chips: Vec<Chip>,
    filter: Filter,
    search: &'a str,
    connected: usize,
    total: usize,
    power: String,
    heard_count: usize,
    credit: Money,
    balance: Option<Balance>,
    alarms: Vec<AlarmLine>,
    alarm_count: usize,
    rejections: Vec<Rejected>,
    rejected: u64,
}

impl<'a> NeighbourhoodView<'a> {
    pub(crate) fn new(
        rules: &Rules,
        rows: &Neighbourhood,
        (problems, cloud, channels, pins, card, update): Shown<'a>,
        (filter, search): (Filter, &'a str),
        (backup, may_download): (Option<BackupFacts>, bool),
        now: Moment,
    ) -> Self {
        let facts = all_facts(rows, rules, now);
        let chip = |filter_of: Filter| Chip {
            name: filter_of.name(),
            words: filter_of.words(),
            count: facts.iter().filter(|f| filter_of.takes(f)).count(),
            is_current: filter_of == filter,
        };
        let chips = Filter::ALL.into_iter().map(chip).collect();
        let connected = facts.iter().filter(|f| f.look() == SupplyLook::Connected);
        let heard = facts.iter().filter(|f| f.power_w.is_some());
        let meters_w: i64 = heard.clone().filter_map(|f| f.power_w.map(i64::from)).sum();
        let currency = facts.first().map_or("", |f| f.currency.as_str());
        let credit = facts.iter().map(|f| f.available).sum();
        let open: Vec<_> = rows.alarms.iter().rev().collect();
        let shown = open.iter().take(ALARMS_SHOWN);
        let alarms = shown
            .map(|alarm| AlarmLine::new(alarm, rules, now.at))
            .collect();
        let reasons = rows.rejections.iter().filter(|(_, count)| **count > 0);
        let mut rejections: Vec<_> = reasons
            .map(|(reason, count)| Rejected {
                reason: reason.replace('-', " "),
                count: *count,
            })
            .collect();
        rejections.sort_by_key(|rejected| std::cmp::Reverse(rejected.count));
        let wanted = facts
            .iter()
            .filter(|f| filter.takes(f) && matches(f, search));
        Self {
            now: format::date_time(rules.calendar, now.at),
            problems,
            card: card.map(CardTile::new),
            update,
            cloud: cloud.map(|cloud| CloudTile::new(cloud, now.at)),
            notices: NoticesTile::new(channels),
            backup: backup.map(|backup| BackupTile::new(&backup, may_download)),
            pins,
            clock_trusted: now.clock_trusted,
            connected: connected.count(),
            total: facts.len(),
            power: format::power(meters_w),
            heard_count: heard.count(),
            credit: Money::new(credit, currency),
            balance: balance(rows, meters_w, rules, now),
            alarm_count: open.len(),
            alarms,
            rejected: rejections.iter().map(|rejected| rejected.count).sum(),
            rejections,
            rows: wanted.map(|f| row(f, now)).collect(),
            chips,
            filter,
            search,
        }
    }
}

/// Facts of every usage point.
pub(crate) fn all_facts(rows: &Neighbourhood, rules: &Rules, now: Moment) -> Vec<PointFacts> {
    let of = |point: &crate::committed::UsagePointRows| {
        let tariff = rows.tariffs.get(&point.point.account.tariff);
        PointFacts::of(point, tariff, rules, now.at)
    };
    rows.usage_points.iter().map(of).collect()
}

fn matches(facts: &PointFacts, search: &str) -> bool {
    let search = search.trim().to_lowercase();
    facts.label.to_lowercase().contains(&search)
        || facts.id.to_string().to_lowercase().contains(&search)
}

fn row(facts: &PointFacts, now: Moment) -> Row {
    Row {
        id: facts.id.to_string(),
        label: facts.label.clone(),
        available: Money::new(facts.available, &facts.currency),
        is_low: facts.is_low,
        units_left: facts.units_left.map(format::units),
        look: facts.look(),
        why: facts.why(),
        power: facts.power_w.map(|w| format::power(i64::from(w))),
        heard: facts.heard.map(|at| format::ago(at, now.at)),
        is_silent: facts.is_silent && facts.node.is_some(),
    }
}

/// Feeder power against the sum of the meters, of what was heard lately; nothing without a feeder meter.
fn balance(rows: &Neighbourhood, meters_w: i64, rules: &Rules, now: Moment) -> Option<Balance> {
    let fresh = rows.feeders.iter().filter_map(|feeder| {
        let last = feeder.last.as_ref()?;
        let is_fresh = now.at.seconds_since(last.at) <= u64::from(rules.silent_after_s);
        last.reading.power_w.filter(|_| is_fresh).map(i64::from)
    });
    let fresh: Vec<i64> = fresh.collect();
    if fresh.is_empty() {
        return None;
    }
    let feeder_w: i64 = fresh.iter().sum();
    let largest = feeder_w.abs().max(meters_w.abs()).max(1);
    let difference = feeder_w - meters_w;
    let percent = (feeder_w > 0).then(|| {
        let tenths = difference * 1_000 / feeder_w;
        let sign = if tenths < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
    });
    Some(Balance {
        feeder: format::power(feeder_w),
        meters: format::power(meters_w),
        difference: format::power(difference),
        percent,
        feeder_length: feeder_w.max(0) * 1_000 / largest,
        meters_length: meters_w.max(0) * 1_000 / largest,
    })
}
