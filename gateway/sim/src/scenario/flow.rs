//! Power flow of a radial three-phase four-wire network, by backward and forward sweep.
//!
//! Decided here: physics. Currents of all premises are summed towards the transformer, voltage drops from it outwards, until both agree
//! (Shirmohammadi et al., "A compensation-based power flow method", IEEE Transactions on Power Systems 3(2), 1988). The neutral is a
//! conductor like the others and is earthed at the transformer only, so the four currents of a section add up to zero; mutual reactance
//! then is the same as a smaller own one, which is what [`Section`] holds. Deliberately not: what the premises draw.

use std::ops::{Add, Div, Mul, Sub};

/// A complex number: volts, amperes or ohms.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Complex {
    /// Real part.
    pub re: f64,
    /// Imaginary part.
    pub im: f64,
}

impl Complex {
    /// From its parts.
    #[must_use]
    pub const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// From its length and its angle in radians.
    #[must_use]
    pub fn polar(length: f64, angle: f64) -> Self {
        Self::new(length * angle.cos(), length * angle.sin())
    }

    /// Mirrored at the real axis.
    #[must_use]
    pub const fn conjugate(self) -> Self {
        Self::new(self.re, -self.im)
    }

    /// Its length.
    #[must_use]
    pub fn length(self) -> f64 {
        self.re.hypot(self.im)
    }

    /// This many times as long.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::new(
            self.re * other.re - self.im * other.im,
            self.re * other.im + self.im * other.re,
        )
    }
}

impl Div for Complex {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let square = other.re * other.re + other.im * other.im;
        (self * other.conjugate()).times(1.0 / square)
    }
}

/// The conductors from one pole to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Section {
    /// The pole nearer to the transformer; smaller than this one's own position.
    pub from: usize,
    /// Of each phase conductor, ohms.
    pub phase: Complex,
    /// Of the neutral, ohms.
    pub neutral: Complex,
}

/// What hangs on one phase of a pole: a premises, a lamp, a tap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    /// The pole.
    pub pole: usize,
    /// 0, 1 or 2.
    pub phase: usize,
    /// Of its cable, there and back, ohms.
    pub cable: Complex,
    /// Reactive power as a share of the active one.
    pub reactive: f64,
}

/// The lines of one feeder. Pole 0 is the transformer's busbar; its section stands for the transformer.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The poles, each after the one it hangs on.
    pub sections: Vec<Section>,
    /// What hangs on them.
    pub services: Vec<Service>,
}

/// A solved state of a network, the start for the next.
#[derive(Debug, Clone)]
pub struct Flow {
    volts: Vec<[Complex; 4]>,
    carried: Vec<[Complex; 4]>,
    amperes: Vec<Complex>,
}

/// Sweeps at most. Each makes the error some ten times smaller; a network that is not solved after so many cannot carry its load.
const SWEEPS: usize = 25;
/// Solved when no service's current moves by more, amperes: a tenth of a watt.
const CLOSE_A: f64 = 5e-4;
/// No load is drawn harder when its voltage falls below, volts: appliances give up.
const WEAK_V: f64 = 120.0;

impl Flow {
    /// At no load.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        let zero = [Complex::default(); 4];
        Self {
            volts: vec![zero; network.sections.len()],
            carried: vec![zero; network.sections.len()],
            amperes: vec![Complex::default(); network.services.len()],
        }
    }

    /// Solves for `watts` of each service, with `source` volts of each phase behind the transformer.
    pub fn solve(&mut self, network: &Network, source: f64, watts: &[f64]) {
        for _ in 0..SWEEPS {
            self.outwards(network, source);
            if self.inwards(network, watts) < CLOSE_A {
                break;
            }
        }
    }

    fn outwards(&mut self, network: &Network, source: f64) {
        for (pole, section) in network.sections.iter().enumerate() {
            let before = if pole == 0 {
                let third = std::f64::consts::TAU / 3.0;
                let of = |phase: usize| Complex::polar(source, -third * phase as f64);
                [of(0), of(1), of(2), Complex::default()]
            } else {
                self.volts[section.from]
            };
            for (conductor, before) in before.into_iter().enumerate() {
                let ohms = match conductor {
                    3 => section.neutral,
                    _ => section.phase,
                };
                self.volts[pole][conductor] = before - ohms * self.carried[pole][conductor];
            }
        }
    }

    /// Gives the largest change of a current, amperes.
    fn inwards(&mut self, network: &Network, watts: &[f64]) -> f64 {
        self.carried.fill([Complex::default(); 4]);
        let mut moved = 0.0_f64;
        for (at, service) in network.services.iter().enumerate() {
            let mut volts = self.at(network, at);
            if volts.length() < WEAK_V {
                volts = Complex::polar(WEAK_V, volts.im.atan2(volts.re));
            }
            let power = Complex::new(watts[at], watts[at] * service.reactive);
            let amperes = (power / volts).conjugate();
            moved = moved.max((amperes - self.amperes[at]).length());
            self.amperes[at] = amperes;
            let carried = &mut self.carried[service.pole];
            carried[service.phase] = carried[service.phase] + amperes;
            carried[3] = carried[3] - amperes;
        }
        for pole in (1..network.sections.len()).rev() {
            for conductor in 0..4 {
                let from = network.sections[pole].from;
                self.carried[from][conductor] =
                    self.carried[from][conductor] + self.carried[pole][conductor];
            }
        }
        moved
    }

    fn at(&self, network: &Network, at: usize) -> Complex {
        let service = &network.services[at];
        let pole = &self.volts[service.pole];
        pole[service.phase] - pole[3] - service.cable * self.amperes[at]
    }

    /// Voltage at a service, phase to neutral, volts.
    #[must_use]
    pub fn volts(&self, network: &Network, service: usize) -> f64 {
        self.at(network, service).length()
    }

    /// Active power of each phase into the feeder at the transformer, watts.
    #[must_use]
    pub fn delivered(&self) -> [f64; 3] {
        let power = |phase: usize| {
            let (volts, amperes) = (self.volts[0][phase], self.carried[0][phase]);
            (volts * amperes.conjugate()).re
        };
        [power(0), power(1), power(2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: Service = Service {
        pole: 1,
        phase: 0,
        cable: Complex::new(0.0, 0.0),
        reactive: 0.0,
    };

    fn line(ohms: f64, services: Vec<Service>) -> Network {
        let section = |from, ohms| Section {
            from,
            phase: Complex::new(ohms, 0.0),
            neutral: Complex::new(ohms, 0.0),
        };
        Network {
            sections: vec![section(0, 0.0), section(0, ohms)],
            services,
        }
    }

    fn solved(network: &Network, watts: &[f64]) -> Flow {
        let mut flow = Flow::new(network);
        flow.solve(network, 230.0, watts);
        flow
    }

    #[test]
    fn one_load_on_one_phase_is_the_quadratic_everybody_can_solve() {
        let network = line(0.25, vec![SERVICE]);
        let flow = solved(&network, &[4600.0]);
        // There and back half an ohm: U (230 - U) / 0.5 = 4600.
        let volts = (230.0 + (230.0_f64 * 230.0 - 4.0 * 0.5 * 4600.0).sqrt()) / 2.0;
        assert!((flow.volts(&network, 0) - volts).abs() < 1e-3);
        let amperes = 4600.0 / volts;
        let lost = flow.delivered()[0] - 4600.0;
        assert!((lost - 0.5 * amperes * amperes).abs() < 0.5, "{lost}");
    }

    #[test]
    fn three_equal_loads_need_no_neutral() {
        let of = |phase| Service { phase, ..SERVICE };
        let network = line(0.25, vec![of(0), of(1), of(2)]);
        let flow = solved(&network, &[4600.0; 3]);
        let volts = (230.0 + (230.0_f64 * 230.0 - 4.0 * 0.25 * 4600.0).sqrt()) / 2.0;
        for service in 0..3 {
            assert!((flow.volts(&network, service) - volts).abs() < 1e-2);
        }
    }

    #[test]
    fn a_load_on_one_phase_lifts_or_lowers_the_others_by_the_neutral() {
        let of = |phase| Service { phase, ..SERVICE };
        let network = line(0.25, vec![of(0), of(1)]);
        let flow = solved(&network, &[6000.0, 1.0]);
        assert!(flow.volts(&network, 1) > 231.0);
        let energy: f64 = flow.delivered().iter().sum();
        assert!(energy > 6001.0, "{energy}");
    }
}
