//! Guards the gateway keeps for a switch beside a shop-bought meter: load limit, press, and the street after an outage.

use crate::site::*;
use gateway_core::event::Answer;
use gateway_core::guard::GuardCommand;
use gateway_core::meter_link::*;
use gateway_core::supply::{ControlState, Reason, Relay, SupplyOrder};
use gateway_core::*;

const METER: NodeId = NodeId(2);

/// A usage point with credit behind a plug with a relay; its contact follows what is desired unless a test moves it.
struct Plug {
    site: Site,
    register: u64,
}

impl Plug {
    fn new(change: impl FnOnce(&mut Rules)) -> Self {
        let mut site = Site::with_one_point();
        site.vend("a", "1000").expect("vend");
        change(&mut site.rules);
        let link = MeterLink::Mqtt {
            dialect: "tasmota".into(),
            device: "plug".into(),
            channel: None,
            credential: "plug".into(),
        };
        let switch = Switch {
            link: SwitchLink::Mqtt {
                dialect: "tasmota".into(),
                device: "plug".into(),
                channel: None,
                credential: "plug".into(),
            },
            before_meter: false,
        };
        let install = Install {
            link,
            switch: Some(switch),
            initial: Some(WattHours(5_000)),
        };
        let work = MeterOrder::Replace {
            node: NODE,
            final_register: None,
            install,
        };
        let (work, by) = (Box::new(work), "installer".to_owned());
        site.command(Command::WorkOnMeter { work, by })
            .expect("a plug");
        let mut plug = Self {
            site,
            register: 5_000,
        };
        plug.shows(Relay::Closed, 0);
        plug
    }

    /// A reading now.
    fn shows(&mut self, relay: Relay, watts: i32) {
        let reading = Reading {
            relay: Some(relay),
            power_w: Some(watts),
            ..Reading::of(METER, WattHours(self.register))
        };
        let metered = MeterReading {
            reading,
            serial: None,
            register_set: false,
        };
        let taken = self.site.event(&Event::Metered(Box::new(metered)));
        taken.expect("a reading");
    }

    /// A reading of a plug whose contact does what is desired.
    fn draws(&mut self, watts: i32) {
        let relay = self.site.point().supply.desired();
        let watts = match relay {
            Relay::Closed => watts,
            Relay::Open => 0,
        };
        self.shows(relay, watts);
    }

    /// Seconds with a load, a reading at their beginning and after each of them.
    fn pass(&mut self, seconds: i64, watts: i32) {
        self.draws(watts);
        for _ in 0..seconds {
            self.site.now += 1;
            self.draws(watts);
        }
    }

    fn tick(&mut self) {
        self.site.event(&Event::Tick).expect("a tick");
    }

    fn ask(&mut self, ask: GuardCommand) -> Result<Answer, Refusal> {
        self.site.command(Command::Guard(ask))
    }

    fn close(&mut self) -> Result<Answer, Refusal> {
        let (usage_point, by) = (POINT, "resident".into());
        self.ask(GuardCommand::Close { usage_point, by })
    }

    fn reset(&mut self) -> Result<Answer, Refusal> {
        let (usage_point, by) = (POINT, "clerk".into());
        self.ask(GuardCommand::ResetOverload { usage_point, by })
    }

    fn shadow(&mut self, arming: Arming) {
        let set = Command::SetPoint {
            usage_point: Some(POINT),
            setting: PointSetting::Arming { arming },
            by: "clerk".into(),
        };
        self.site.command(set).expect("arming");
        self.draws(0);
    }

    #[track_caller]
    fn is(&self, reasons: &[Reason]) {
        let supply = &self.site.point().supply;
        let holds: Vec<_> = supply.reasons.iter().collect();
        assert_eq!(holds, reasons);
        assert_eq!(supply.desired() == Relay::Closed, reasons.is_empty());
    }

    fn wait_s(&self) -> u16 {
        self.site.point().wait_s(UtcSeconds(self.site.now))
    }
}

/// The limit of the table that a node follows too.
fn limited(rules: &mut Rules) {
    let limit = &mut rules.prepay.load_limit;
    (limit.watts, limit.persistence_s, limit.rest_s) = (500, 3, 5);
    (limit.trips, limit.window_s) = (2, 30);
}

#[test]
fn the_load_limit_follows_the_table_of_the_node() {
    let mut plug = Plug::new(limited);
    let table = include_str!("../../../../meter-node/tests/node/load-limit.txt");
    let mut lines = 0;
    for line in table.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            None | Some("#") => continue,
            Some("reset") => {
                plug.reset().expect("latched");
            }
            Some(seconds) => {
                let seconds = seconds.parse().expect("seconds");
                let watts = words.next().and_then(|watts| watts.parse().ok());
                plug.pass(seconds, watts.expect("watts"));
                match words.next() {
                    Some("tripped") => plug.is(&[Reason::LoadLimitTripped]),
                    Some("latched") => plug.is(&[Reason::OverloadLatched]),
                    Some("on") => plug.is(&[]),
                    other => panic!("{other:?} in {line}"),
                }
            }
        }
        lines += 1;
    }
    assert!(lines >= 13, "the table was read");
    assert_eq!(plug.site.point().guard.trips(), 4);
}

#[test]
fn one_reading_never_trips_and_far_ones_need_the_register_to_agree() {
    let mut plug = Plug::new(limited);
    // Above the limit in one reading in two.
    for _ in 0..20 {
        plug.site.now += 10;
        plug.draws(900);
        plug.site.now += 10;
        plug.draws(100);
    }
    plug.is(&[]);
    // Five minutes apart: the kettle was on at both moments and off between them.
    plug.draws(900);
    plug.site.now += 300;
    plug.register += 10;
    plug.draws(900);
    plug.is(&[]);
    // 42 Wh in five minutes are 504 W on average.
    plug.site.now += 300;
    plug.register += 42;
    plug.draws(900);
    plug.is(&[Reason::LoadLimitTripped]);
}

#[test]
fn a_rest_ends_without_readings_and_whatever_the_clock_says() {
    let mut plug = Plug::new(limited);
    plug.pass(3, 600);
    plug.is(&[Reason::LoadLimitTripped]);
    assert_eq!(plug.wait_s(), 5);
    plug.site.now += 4;
    plug.tick();
    plug.is(&[Reason::LoadLimitTripped]);
    assert_eq!(plug.wait_s(), 1);
    plug.site.now += 1;
    plug.tick();
    plug.is(&[]);
    assert_eq!(plug.wait_s(), 0);
    // After a power cut the clock is not believed, and time goes on all the same.
    plug.site.trusted = false;
    plug.site.now -= 86_400;
    plug.pass(3, 600);
    plug.is(&[Reason::LoadLimitTripped]);
    plug.site.now += 5;
    plug.tick();
    plug.is(&[]);
    plug.pass(3, 600);
    plug.is(&[Reason::OverloadLatched]);
    plug.reset().expect("latched");
    plug.is(&[]);
    // Set back in the middle of a rest: it ends, and does not last until that moment comes again.
    plug.pass(3, 600);
    plug.is(&[Reason::LoadLimitTripped]);
    plug.site.now -= 3_600;
    plug.tick();
    plug.is(&[]);
}

#[test]
fn in_shadow_no_load_limit_opens_and_what_latched_is_forgotten() {
    let mut plug = Plug::new(limited);
    plug.pass(3, 600);
    plug.pass(6, 0);
    plug.pass(3, 600);
    plug.is(&[Reason::OverloadLatched]);
    assert_eq!(plug.close(), Err(Refusal::NotReadyForReconnection));
    plug.shadow(Arming::Shadow);
    plug.is(&[]);
    plug.pass(30, 900);
    plug.is(&[]);
    plug.shadow(Arming::Armed);
    plug.is(&[]);
}

#[test]
fn where_a_press_is_wanted_nothing_closes_by_itself_but_what_rested() {
    let mut plug = Plug::new(|rules| {
        limited(rules);
        rules.prepay.reconnect.press = true;
    });
    plug.is(&[]);
    plug.pass(3, 600);
    plug.pass(5, 0);
    plug.is(&[]);
    plug.site.order(SupplyOrder::Off);
    plug.draws(0);
    plug.is(&[Reason::OperatorOff]);
    assert_eq!(plug.close(), Err(Refusal::NotReadyForReconnection));
    plug.site.order(SupplyOrder::Auto);
    for _ in 0..3 {
        plug.site.now += 60;
        plug.tick();
        plug.draws(0);
        plug.is(&[Reason::AwaitsPress]);
    }
    let state = plug.site.point().supply.control_state();
    assert_eq!(state, ControlState::ReadyForReconnection);
    plug.close().expect("it waits");
    plug.is(&[]);
    plug.draws(0);
    plug.is(&[]);
    assert_eq!(plug.close(), Err(Refusal::NotReadyForReconnection));
    // Latched: an operator's reset leaves it to be pressed, and where the site says so the press is the reset.
    plug.pass(3, 600);
    plug.pass(5, 0);
    plug.pass(3, 600);
    plug.is(&[Reason::OverloadLatched]);
    assert_eq!(plug.close(), Err(Refusal::NotReadyForReconnection));
    plug.reset().expect("latched");
    plug.is(&[Reason::AwaitsPress]);
    plug.close().expect("it waits");
    plug.is(&[]);
    plug.pass(3, 600);
    plug.pass(5, 0);
    plug.pass(3, 600);
    plug.is(&[Reason::OverloadLatched]);
    plug.site.rules.prepay.load_limit.press_resets = true;
    plug.close().expect("a press resets");
    plug.is(&[]);
}

#[test]
fn after_an_outage_a_contact_that_came_back_open_waits_for_its_turn() {
    let spread = |rules: &mut Rules| rules.prepay.reconnect.delay_s = 40;
    let mut plug = Plug::new(spread);
    plug.site.now += 600;
    plug.draws(0);
    // The gateway starts without a clock it can believe.
    plug.site.trusted = false;
    plug.shows(Relay::Open, 0);
    plug.is(&[Reason::ReconnectDelay]);
    assert_eq!(plug.wait_s(), 40);
    plug.site.now += 39;
    plug.tick();
    plug.is(&[Reason::ReconnectDelay]);
    plug.site.now += 1;
    plug.tick();
    plug.is(&[]);
    plug.draws(0);
    plug.is(&[]);
    // Switched off and on by an order it closes at once; opened by an order and closed before it was carried out too.
    plug.site.trusted = true;
    plug.site.order(SupplyOrder::Off);
    plug.draws(0);
    plug.site.now += 60;
    plug.site.order(SupplyOrder::Auto);
    plug.is(&[]);
    plug.draws(0);
    plug.site.now += 60;
    plug.site.order(SupplyOrder::Off);
    plug.site.order(SupplyOrder::Auto);
    plug.shows(Relay::Open, 0);
    plug.is(&[]);
    // One that comes back closed is left closed, and a site that spreads nothing waits for nothing.
    plug.draws(0);
    plug.site.now += 600;
    plug.shows(Relay::Closed, 100);
    plug.is(&[]);
    plug.site.rules.prepay.reconnect.delay_s = 0;
    plug.site.now += 600;
    plug.shows(Relay::Open, 0);
    plug.is(&[]);
}
