//! What a tariff file may say: the keys of [`gateway_core::tariff::Tariff`], their kinds and ranges.

use crate::config::{Key, Kind, Presence, Schema, Table};
use gateway_core::Micro;
use gateway_core::tariff::TariffFault;

/// The key a fault is about.
pub(super) fn key_of(fault: TariffFault) -> &'static str {
    match fault {
        TariffFault::IdIsNotAShortName => "id",
        TariffFault::ValidFromIsNotADay => "valid_from",
        TariffFault::NoBlocks
        | TariffFault::OnlyTheLastBlockIsOpen
        | TariffFault::BlocksDoNotAscend
        | TariffFault::BlockPaysTheCustomer => "block",
        TariffFault::TooManyBands
        | TariffFault::BandIsNever
        | TariffFault::BandTakesMoreThanAll
        | TariffFault::PercentBandNeedsRisingBlocks => "band",
        TariffFault::FuelMonthTwice | TariffFault::FuelAmountsAreNotOnePerBlock => {
            "fuel_adjustment"
        }
        TariffFault::DutyOnNothing => "duty.percent",
        TariffFault::RebateAboveAll => "rebate.percent",
        TariffFault::AllowanceIsNever => "allowance.reset_hour",
        TariffFault::NegativeRate | TariffFault::RateTooLarge => "",
        TariffFault::PrintedStepNotPositive => "printed_step",
        TariffFault::DutyOnDuty | TariffFault::DutyOnMinimumAlone => "duty.on",
    }
}

/// Largest rate per unit or month; [`Tariff::check`] has the same.
const RATE: Kind = Kind::Amount {
    min: Micro(0),
    max: Micro(1_000_000 * 1_000_000),
};
const SIGNED_RATE: Kind = Kind::Amount {
    min: Micro(-1_000_000 * 1_000_000),
    max: Micro(1_000_000 * 1_000_000),
};
const SIGNED_RATES: Kind = Kind::Amounts {
    min: Micro(-1_000_000 * 1_000_000),
    max: Micro(1_000_000 * 1_000_000),
};
const SIGNED_PERCENT: Kind = Kind::Amount {
    min: Micro(-1_000 * 1_000_000),
    max: Micro(1_000 * 1_000_000),
};
const UNITS: Kind = Kind::Whole {
    min: 0,
    max: 10_000_000,
};
const PERCENT: Kind = Kind::Amount {
    min: Micro(0),
    max: Micro(1_000 * 1_000_000),
};
const STEP: Kind = Kind::Amount {
    min: Micro(1),
    max: Micro(1_000 * 1_000_000),
};
const BILL: Kind = Kind::Amount {
    min: Micro(-1_000_000_000 * 1_000_000),
    max: Micro(1_000_000_000 * 1_000_000),
};
const PHASES: Kind = Kind::OneOf(&["single", "three"]);
const ON: Kind = Kind::SomeOf(&[
    "fixed",
    "energy",
    "wheeling",
    "fuel-adjustment",
    "time-of-day",
    "rebate",
    "minimum",
]);

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Required,
        doc,
    }
}

const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Optional(""),
        doc,
    }
}

/// What a tariff file may say: the fields of [`Tariff`].
pub(super) static SCHEMA: Schema = Schema {
    tables: &[
        Table {
            path: "",
            many: false,
            inherits: None,
            doc: "A block tariff.",
            keys: ROOT,
        },
        Table {
            path: "fixed",
            many: false,
            inherits: None,
            doc: "The fixed charge.",
            keys: &[
                optional("single_phase_per_month", RATE, "Per month, single phase."),
                optional("three_phase_per_month", RATE, "Per month, three phase."),
                optional(
                    "per_kw_per_month",
                    RATE,
                    "Per month and kW of sanctioned load.",
                ),
                optional(
                    "proration",
                    Kind::OneOf(&["whole-period", "twelve-over-365"]),
                    "How it is spread over days.",
                ),
            ],
        },
        Table {
            path: "duty",
            many: false,
            inherits: None,
            doc: "A percentage on named components, an amount per unit, or both.",
            keys: &[
                optional("percent", PERCENT, "Percent."),
                optional("on", ON, "Components."),
                optional("per_kwh", RATE, "Per unit."),
            ],
        },
        Table {
            path: "rebate",
            many: false,
            inherits: None,
            doc: "A rebate on the gross energy charge.",
            keys: &[required("percent", PERCENT, "Percent.")],
        },
        Table {
            path: "minimum",
            many: false,
            inherits: None,
            doc: "The least a period costs before duty.",
            keys: &[
                optional("per_month", RATE, "Per connection."),
                optional("per_kw_per_month", RATE, "Per kW of sanctioned load."),
            ],
        },
        Table {
            path: "allowance",
            many: false,
            inherits: None,
            doc: "Energy a connection may use each day.",
            keys: &[
                required(
                    "wh_per_day",
                    Kind::Whole {
                        min: 1,
                        max: 100_000_000,
                    },
                    "Watt-hours.",
                ),
                optional(
                    "reset_hour",
                    Kind::Whole { min: 0, max: 23 },
                    "Hour of the day at which it begins anew.",
                ),
            ],
        },
        Table {
            path: "band",
            many: true,
            inherits: None,
            doc: "A time of day with an adder or rebate; the first that holds a moment counts.",
            keys: &[
                required("name", Kind::Text { max: 64 }, "Name for people."),
                required("from", Kind::Time, "When it begins."),
                required("to", Kind::Time, "When it ends; before from: the next day."),
                optional(
                    "months",
                    Kind::Wholes { min: 1, max: 12 },
                    "Months of the year in which it exists; all if absent.",
                ),
                optional(
                    "weekdays",
                    Kind::SomeOf(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
                    "Weekdays on which it begins; all if absent.",
                ),
                optional("per_kwh", SIGNED_RATE, "Added to each unit used in it."),
                optional(
                    "percent_of_energy",
                    SIGNED_PERCENT,
                    "Percent of the energy charge added to what is used in it, from -100.",
                ),
            ],
        },
        Table {
            path: "fuel_adjustment",
            many: true,
            inherits: None,
            doc: "Fuel adjustment of a month, the one in which the billing period begins.",
            keys: &[
                required("month", Kind::Month, "The month."),
                optional(
                    "per_kwh",
                    SIGNED_RATES,
                    "Per unit of each block, in their order.",
                ),
                optional(
                    "percent_of_previous_energy",
                    SIGNED_PERCENT,
                    "Percent of the energy charge of the period before, in equal parts each day.",
                ),
            ],
        },
        Table {
            path: "block",
            many: true,
            inherits: None,
            doc: "A block of energy, lowest first; the last one is open.",
            keys: &[
                optional(
                    "up_to_kwh",
                    Kind::Whole {
                        min: 1,
                        max: 1_000_000,
                    },
                    "Where it ends, in kWh of a 30-day month.",
                ),
                required("energy_per_kwh", RATE, "Energy charge."),
                optional(
                    "fuel_adjustment_per_kwh",
                    SIGNED_RATE,
                    "Fuel adjustment charge.",
                ),
            ],
        },
        Table {
            path: "worked_bill",
            many: true,
            inherits: None,
            doc: "A bill from the source, reproduced exactly.",
            keys: &[
                required("units_kwh", UNITS, "Units since the period began."),
                required(
                    "days",
                    Kind::Whole { min: 1, max: 366 },
                    "Days of the period.",
                ),
                optional("phases", PHASES, "Single or three phase."),
                optional(
                    "day",
                    Kind::Whole { min: 1, max: 366 },
                    "The bill is of this day of the period alone.",
                ),
                optional("before_kwh", UNITS, "Units before that day."),
                optional(
                    "load_w",
                    Kind::Whole {
                        min: 1,
                        max: 10_000_000,
                    },
                    "Sanctioned load in watts; 1000 if absent.",
                ),
                optional("month", Kind::Month, "Month of the period."),
                optional(
                    "bands_kwh",
                    Kind::Wholes {
                        min: 0,
                        max: 10_000_000,
                    },
                    "Units in each band, in their order.",
                ),
                optional(
                    "previous_energy",
                    BILL,
                    "Energy charge of the period before.",
                ),
                optional(
                    "energy",
                    BILL,
                    "Gross energy charge, if the source prints it.",
                ),
                optional("rebate", BILL, "Rebate, if the source prints it."),
                optional(
                    "fuel_adjustment",
                    BILL,
                    "Fuel adjustment, if the source prints it.",
                ),
                optional("duty", BILL, "Duty, if the source prints it."),
                required("total", BILL, "The total, to the micro-unit."),
            ],
        },
    ],
};

const ROOT: &[Key] = &[
    required(
        "id",
        Kind::Text { max: 64 },
        "Short name with maker, category and year.",
    ),
    required("name", Kind::Text { max: 200 }, "Name for people."),
    required(
        "currency",
        Kind::Text { max: 8 },
        "Currency code, ISO 4217.",
    ),
    required(
        "source",
        Kind::Text { max: 1_000 },
        "The document with its page.",
    ),
    optional(
        "unverified",
        Kind::Text { max: 1_000 },
        "What of it is not confirmed by the source.",
    ),
    optional(
        "family",
        Kind::Text { max: 64 },
        "The tariff this is a version of; its accounts follow the versions by date.",
    ),
    optional("category", Kind::Text { max: 64 }, "Whom it is for."),
    required("valid_from", Kind::Day, "First day of validity."),
    optional("valid_to", Kind::Day, "Last day of validity, for people."),
    optional(
        "on_change",
        Kind::OneOf(&["at-register", "by-days"]),
        "What happens to a period in the middle of which this version takes over.",
    ),
    required(
        "block_proration",
        Kind::OneOf(&["days-over-30", "calendar-month"]),
        "How block widths follow the period.",
    ),
    optional(
        "printed_step",
        STEP,
        "The step to which the printed bill is rounded.",
    ),
    optional("wheeling_per_kwh", RATE, "Wheeling charge."),
];
