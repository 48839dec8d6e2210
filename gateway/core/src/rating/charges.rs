//! The lines of a bill, and an amount for each.

use crate::Micro;
use alloc::collections::BTreeMap;
use core::ops::{Add, AddAssign, Index, Sub};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A line of the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Energy blocks.
    Energy,
    /// Wheeling, per unit of energy.
    Wheeling,
    /// Fixed charge per connection.
    Fixed,
    /// Fuel adjustment charge, per block; may be negative.
    FuelAdjustment,
    /// Adders of the bands in which energy was used; may be negative.
    TimeOfDay,
    /// Rebate on the gross energy charge; never positive.
    Rebate,
    /// What the components before it lack to the minimum.
    Minimum,
    /// Electricity duty: a percentage of the components the tariff names, an amount per unit, or both.
    Duty,
}

/// How many components there are.
pub const COMPONENTS: usize = 8;

impl Component {
    /// Every component, in the order of the bill.
    pub const ALL: [Self; COMPONENTS] = [
        Self::Energy,
        Self::Wheeling,
        Self::Fixed,
        Self::FuelAdjustment,
        Self::TimeOfDay,
        Self::Rebate,
        Self::Minimum,
        Self::Duty,
    ];

    /// Its name in files, postings and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Wheeling => "wheeling",
            Self::Fixed => "fixed",
            Self::FuelAdjustment => "fuel-adjustment",
            Self::TimeOfDay => "time-of-day",
            Self::Rebate => "rebate",
            Self::Minimum => "minimum",
            Self::Duty => "duty",
        }
    }

    /// The component of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|component| component.name() == name)
    }
}

/// An amount for each component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Charges([Micro; COMPONENTS]);

impl Charges {
    /// The amounts with their components, in the order of the bill.
    pub fn iter(&self) -> impl Iterator<Item = (Component, Micro)> + '_ {
        Component::ALL.into_iter().zip(self.0)
    }

    /// All components together.
    #[must_use]
    pub fn total(&self) -> Micro {
        self.0.into_iter().sum()
    }

    /// Whether every component is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|amount| *amount == Micro::ZERO)
    }

    pub(super) fn set(&mut self, component: Component, amount: Micro) {
        self.0[component as usize] = amount;
    }
}

impl Index<Component> for Charges {
    type Output = Micro;
    fn index(&self, component: Component) -> &Micro {
        &self.0[component as usize]
    }
}

impl Sub for Charges {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl Add for Charges {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl AddAssign for Charges {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Serialize for Charges {
    /// As a map of the components that are not zero: `{"energy":39600000}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.iter()
                .filter(|(_, amount)| *amount != Micro::ZERO)
                .map(|(c, a)| (c.name(), a)),
        )
    }
}

impl<'de> Deserialize<'de> for Charges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named: BTreeMap<alloc::string::String, Micro> = BTreeMap::deserialize(deserializer)?;
        let mut charges = Self::default();
        for (name, amount) in named {
            let component =
                Component::by_name(&name).ok_or_else(|| D::Error::custom("unknown component"))?;
            charges.set(component, amount);
        }
        Ok(charges)
    }
}
