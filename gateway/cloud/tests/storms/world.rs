//! Gateway, head-end and what is between them: late, lost, doubled, reordered, cut, restarted.

use crate::card::{GATEWAY, START, token};
use crate::site::Gateway;
use gateway_cloud::uplink::{Settings, Step};
use gateway_sim::head_end::{HeadEnd, Stored};
use gateway_sim::random::Random;
use serde_json::{Value, json};

/// What the link does to a message, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub lost: u32,
    pub doubled: u32,
    pub late_ms: u32,
}

/// A message on its way, due at a moment.
struct OnItsWay {
    due_ms: u64,
    up: bool,
    path: String,
    payload: Vec<u8>,
}

/// What the link and the clocks did, so that a test can see that they did it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done {
    pub lost: u32,
    pub doubled: u32,
    pub reordered: u32,
    pub cut_off: u32,
    pub too_large: u32,
    pub played_back: u32,
    pub wrong_clocks: u32,
    pub attempts: u32,
}

pub struct World {
    pub done: Done,
    /// Seconds by which the clocks of gateway and head-end are wrong.
    pub gateway_ahead_s: i64,
    pub head_end_ahead_s: i64,
    /// Tokens issued.
    pub tokens: u32,
    pub random: Random,
    pub now_ms: u64,
    pub gateway: Gateway,
    pub head_end: HeadEnd,
    pub weather: Weather,
    pub is_connected: bool,
    /// Nobody reaches the broker.
    pub is_cut: bool,
    /// Payloads larger than this end the connection, and nothing says why.
    pub broker_limit: usize,
    on_its_way: Vec<OnItsWay>,
    /// Every order ever seen on the way, to play back.
    pub seen_orders: Vec<Vec<u8>>,
    pub largest: usize,
}

pub fn id() -> String {
    GATEWAY.to_string()
}

impl World {
    pub fn new(seed: u64, settings: Settings) -> Self {
        let mut random = Random::new(seed);
        let mut head_end = HeadEnd::new([42; 32], Stored::default(), Box::new(()));
        let gateway = Gateway::new(&head_end.public(), settings, random.next_bits());
        let site = gateway_sim::head_end::Site {
            key: gateway.public(),
            branch: 1,
            ..Default::default()
        };
        head_end.stored.sites.insert(id(), site);
        Self {
            done: Done::default(),
            gateway_ahead_s: 0,
            head_end_ahead_s: 0,
            tokens: 0,
            random,
            now_ms: 0,
            gateway,
            head_end,
            weather: Weather::default(),
            is_connected: false,
            is_cut: false,
            broker_limit: usize::MAX,
            on_its_way: Vec::new(),
            seen_orders: Vec::new(),
            largest: 0,
        }
    }

    /// What the gateway's clock shows.
    pub fn at(&self) -> i64 {
        self.true_at() + self.gateway_ahead_s
    }

    /// What a good clock shows.
    pub fn true_at(&self) -> i64 {
        START + i64::try_from(self.now_ms / 1_000).expect("fits")
    }

    /// Years ahead or behind, here and there; of the gateway's nobody knows, or it says so itself.
    pub fn set_clocks_wrong(&mut self) {
        let years = |random: &mut Random| i64::from(random.between(0, 20)) - 10;
        self.head_end_ahead_s = years(&mut self.random) * 31_536_000;
        self.gateway_ahead_s = years(&mut self.random) * 31_536_000;
        self.gateway.card.clock_trusted = self.percent(30);
        self.done.wrong_clocks += 1;
    }

    pub fn set_clocks_right(&mut self) {
        (self.gateway_ahead_s, self.head_end_ahead_s) = (0, 0);
        self.gateway.card.clock_trusted = true;
    }

    /// A new token; its identifiers rise.
    pub fn token(&mut self) -> String {
        self.tokens += 1;
        token(6_000_000 + self.tokens)
    }

    pub fn percent(&mut self, chance: u32) -> bool {
        self.random.between(1, 100) <= chance
    }

    /// The connection breaks. A broker that keeps its queue gives some of it to a later connection.
    pub fn disconnect(&mut self) {
        if std::mem::take(&mut self.is_connected) {
            self.done.cut_off += 1;
            let noise = self.random.next_bits();
            self.gateway.uplink.lost(self.now_ms, noise);
        }
        let keeps = self.percent(50);
        self.on_its_way.retain(|_| keeps);
    }

    pub fn crash_gateway(&mut self) {
        self.disconnect();
        let noise = self.random.next_bits();
        let card = self.gateway.card.clone();
        let old = std::mem::replace(
            &mut self.gateway,
            Gateway::start(card, Settings::default(), noise),
        );
        self.gateway = old.crash(noise);
    }

    /// The head-end dies and comes back with what it has stored; what it was about to say is lost.
    pub fn crash_head_end(&mut self) {
        let stored = self.head_end.stored.clone();
        let misbehaviour = self.head_end.misbehaviour;
        self.head_end = HeadEnd::new([42; 32], stored, Box::new(()));
        self.head_end.misbehaviour = misbehaviour;
        self.on_its_way.retain(|message| message.up);
    }

    pub fn order(&mut self, act: Value) -> u64 {
        self.order_within(act, (0, i64::MAX))
    }

    /// An order that is good between two moments only.
    pub fn order_within(&mut self, act: Value, times: (i64, i64)) -> u64 {
        self.head_end.order(&id(), act, times)
    }

    pub fn vend_order(&mut self, key: &str, point: u32) -> u64 {
        self.order(json!({"command": "vend", "key": key, "usage_point": point,
            "amount": 10_000_000, "by": "shop"}))
    }

    pub fn repeat_orders(&mut self) {
        let orders = self.head_end.repeat_orders(&id());
        self.send_down(orders);
    }

    pub fn play_back(&mut self) {
        if !self.seen_orders.is_empty() {
            let last = u32::try_from(self.seen_orders.len() - 1).expect("fits");
            let place = self.random.between(0, last) as usize;
            let payload = self.seen_orders[place].clone();
            self.done.played_back += 1;
            self.send_down(vec![(format!("{}/down/order", id()), payload)]);
        }
    }

    fn send_down(&mut self, messages: Vec<(String, Vec<u8>)>) {
        for (path, payload) in messages {
            if path.ends_with("order") && self.seen_orders.len() < 500 {
                self.seen_orders.push(payload.clone());
            }
            self.send(false, path, payload);
        }
    }

    fn send(&mut self, up: bool, path: String, payload: Vec<u8>) {
        let copies = 1 + u32::from(self.percent(self.weather.doubled));
        self.done.doubled += copies - 1;
        for _ in 0..copies {
            if self.percent(self.weather.lost) {
                self.done.lost += 1;
                continue;
            }
            let late = u64::from(self.random.between(5, 10 + self.weather.late_ms));
            let due_ms = self.now_ms + late;
            let overtakes = |other: &OnItsWay| other.up == up && other.due_ms > due_ms;
            self.done.reordered += u32::from(self.on_its_way.iter().any(overtakes));
            self.on_its_way.push(OnItsWay {
                due_ms,
                up,
                path: path.clone(),
                payload: payload.clone(),
            });
        }
    }

    /// Lets the gateway do all it wants at this moment.
    fn drive(&mut self) {
        for _ in 0..10_000 {
            match self.gateway.next(self.now_ms, self.at()) {
                Step::Connect if self.is_cut => {
                    self.done.attempts += 1;
                    let noise = self.random.next_bits();
                    self.gateway.uplink.lost(self.now_ms, noise);
                }
                Step::Connect => {
                    self.is_connected = true;
                    self.gateway.uplink.connected();
                }
                Step::Send(channel, payload) => {
                    self.largest = self.largest.max(payload.len());
                    if payload.len() > self.broker_limit {
                        self.done.too_large += 1;
                        self.disconnect();
                        continue;
                    }
                    self.send(true, channel.path(&GATEWAY), payload);
                }
                Step::Disconnect => self.is_connected = false,
                Step::Wait(_) | Step::Store => return,
            }
        }
        unreachable!("the uplink never rests");
    }

    /// Some time passes; everything due arrives, in the order it is due.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        self.drive();
        loop {
            let due = self.on_its_way.iter().map(|message| message.due_ms).min();
            let wake = match self.gateway.next(self.now_ms, self.at()) {
                Step::Wait(at) => at.max(self.now_ms + 1),
                _ => unreachable!("driven"),
            };
            let next = due.unwrap_or(u64::MAX).min(wake);
            if next > end {
                break;
            }
            self.now_ms = self.now_ms.max(next);
            let now = self.now_ms;
            while let Some(place) = self.on_its_way.iter().position(|m| m.due_ms <= now) {
                let message = self.on_its_way.remove(place);
                self.arrive(message);
            }
            self.drive();
        }
        self.now_ms = end;
        self.drive();
    }

    fn arrive(&mut self, message: OnItsWay) {
        let (now, at) = (self.now_ms, self.at());
        if message.up {
            let at = self.true_at() + self.head_end_ahead_s;
            let answers = self.head_end.heard(&message.path, &message.payload, at);
            self.send_down(answers);
        } else if self.is_connected {
            self.gateway.heard(&message.path, &message.payload, now, at);
        }
    }

    /// Whether everything is stored and every order has its receipt.
    pub fn is_settled(&self) -> bool {
        let site = &self.head_end.stored.sites[&id()];
        let (number, _) = site.cursor(&id());
        let written = self
            .gateway
            .card
            .profile
            .last()
            .map_or(0, |row| row.written);
        let retained = |name: &str| site.retained.get(name);
        let cases = self.gateway.card.cases.iter();
        let cases: String = cases.map(|case| format!("{case}\n")).collect();
        number == self.gateway.card.state.number
            && site.profile_cursor == written
            && retained("up/case").is_some_and(|(_, rows)| *rows == cases)
            && retained("up/status").is_some_and(|(head, _)| head["state"] != "lost")
            && site.orders.values().all(|order| order.receipt.is_some())
    }

    /// Fair weather until all is settled.
    pub fn settle(&mut self) {
        self.weather = Weather::default();
        self.head_end.misbehaviour = gateway_sim::head_end::Misbehaviour::default();
        self.is_cut = false;
        self.broker_limit = usize::MAX;
        self.set_clocks_right();
        // Minutes first; then hours, for a metered link and a budget that is used up.
        for round in 0..300 {
            self.repeat_orders();
            self.pass(if round < 100 { 60_000 } else { 3_600_000 });
            if self.is_settled() {
                return;
            }
        }
        let site = &self.head_end.stored.sites[&id()];
        unreachable!(
            "never settled: head {} cursor {:?} profile {} of {:?} waiting {:?} standing {:?} dropped {:?}",
            self.gateway.card.state.number,
            site.cursor(&id()),
            site.profile_cursor,
            self.gateway.card.profile.last().map(|row| row.written),
            site.orders
                .values()
                .filter(|o| o.receipt.is_none())
                .collect::<Vec<_>>(),
            self.gateway.uplink.is_accepted(),
            self.head_end.dropped,
        );
    }
}
