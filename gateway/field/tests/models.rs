//! Meter models: every shipped file decodes its golden frames; mistakes are named; blocks split no value.

use gateway_field::models::{
    Catalog, Model, ModelKind, Purpose, Quantity, Sample, WordOrder, builtin, check_golden, parse,
    plan, take,
};
use std::time::Duration;

fn model(id: &str) -> Model {
    let found = builtin().find(|(name, _)| *name == id);
    parse(found.expect("shipped").1).expect("a model without mistakes")
}

#[test]
fn every_shipped_model_decodes_its_golden_frames() {
    let mut goldens = 0;
    for (id, text) in builtin() {
        let model = parse(text).unwrap_or_else(|mistakes| panic!("{id}: {mistakes:?}"));
        assert_eq!(model.id, id, "a file is named by its id");
        for (number, golden) in model.golden.iter().enumerate() {
            check_golden(&model, golden).unwrap_or_else(|what| panic!("{id} {number}: {what}"));
            goldens += 1;
        }
        let tested = |quantity| {
            let values = |golden: &gateway_field::models::Golden| golden.values.clone();
            model
                .golden
                .iter()
                .flat_map(values)
                .any(|(q, _)| q == quantity)
        };
        let metered = model.kind == ModelKind::Meter;
        assert!(
            !metered || tested(Quantity::Import),
            "{id}: its import is in no golden frame"
        );
    }
    assert!(goldens >= 25);
    let in_folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../meter-models"));
    let tomls = in_folder
        .unwrap()
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|x| x == "toml"));
    assert_eq!(
        tomls.count(),
        builtin().count(),
        "a file in the folder is not shipped"
    );
}

#[test]
fn a_golden_frame_bites() {
    let good = builtin().find(|(id, _)| *id == "sdm630").unwrap().1;
    for (from, to) in [
        (
            "name = \"import\", addr = 72",
            "name = \"import\", addr = 74",
        ),
        (
            "unit = \"kWh\", printed = 30073",
            "unit = \"Wh\", printed = 30073",
        ),
        ("order = \"ABCD\"", "order = \"CDAB\""),
        ("import = 45678900.0", "import = 45678000.0"),
        ("43 66 33 34 1B 38", "43 66 33 34 1B 39"),
        ("max_regs_per_read = 80", "max_regs_per_read = 60"),
    ] {
        assert!(good.contains(from), "{from}");
        let model = parse(&good.replacen(from, to, 1)).expect("still a model");
        let broken = model
            .golden
            .iter()
            .any(|golden| check_golden(&model, golden).is_err());
        assert!(broken, "{to} goes unnoticed");
    }
}

#[test]
fn mistakes_are_named() {
    let good = builtin().find(|(id, _)| *id == "sdm72d").unwrap().1;
    for (from, to, words) in [
        ("kind = \"meter\"", "kind = \"metre\"", "unknown variant"),
        ("version = 1", "version = 1\ncolour = 3", "unknown field"),
        ("fc = 4\ntype", "fc = 7\ntype", "fc 7 reads nothing"),
        ("unit = \"W\"", "unit = \"V\"", "must be of W"),
        ("phases = 3", "phases = 2", "phases: 1 or 3"),
        ("name = \"total\"", "name = \"import\"", "there twice"),
        (
            "name = \"import\", addr = 72",
            "name = \"import\", addr = 384",
            "never bill",
        ),
        (
            "max_regs_per_read = 60",
            "max_regs_per_read = 126",
            "max_regs_per_read",
        ),
        ("\"01 04 00 34", "\"XX 04 00 34", "hexadecimal"),
    ] {
        assert!(good.contains(from), "{from}");
        let mistakes = parse(&good.replacen(from, to, 1)).expect_err(to).join("; ");
        assert!(mistakes.contains(words), "{to}: {mistakes}");
    }
}

#[test]
fn blocks_hold_whole_values_and_no_more_registers_than_allowed() {
    for (_, text) in builtin() {
        let model = parse(text).unwrap();
        for purpose in [Purpose::Credit, Purpose::Reading, Purpose::Everything] {
            let blocks = plan(&model, purpose);
            for block in &blocks {
                assert!(
                    block.count <= model.max_regs_per_read,
                    "{} {block:?}",
                    model.id
                );
            }
            if purpose == Purpose::Everything {
                for point in &model.points {
                    let (cell, count) = (point.cell, point.cell.word_type.registers());
                    let inside = blocks.iter().any(|b| {
                        b.function == cell.function
                            && cell.address >= b.start
                            && u32::from(cell.address + count)
                                <= u32::from(b.start) + u32::from(b.count)
                    });
                    assert!(inside, "{} {}", model.id, point.quantity);
                }
            }
        }
    }
    let spans = |id: &str, purpose| -> Vec<(u16, u16)> {
        let blocks = plan(&model(id), purpose);
        blocks
            .iter()
            .map(|block| (block.start, block.count))
            .collect()
    };
    assert_eq!(spans("sdm120", Purpose::Reading), [(0x46, 6), (0, 14)]);
    assert_eq!(spans("sdm120", Purpose::Credit), [(0x48, 2)]);
    assert_eq!(spans("pzem-004t-v3", Purpose::Reading), [(0, 8)]);
    assert_eq!(spans("sdm72d", Purpose::Reading), [(0x34, 24)]);
}

fn sample(id: &str, order: Option<WordOrder>, words: &[u16]) -> (Model, Sample) {
    let model = model(id);
    let mut sample = Sample::default();
    let blocks = plan(&model, Purpose::Reading);
    take(&model, order, blocks[0], words, Duration::ZERO, &mut sample);
    (model, sample)
}

#[test]
fn what_is_no_value_is_never_a_number() {
    let node = gateway_core::NodeId(7);
    let (model, absent) = sample("abb-b23", None, &[0xFFFF; 8]);
    assert_eq!(absent.reading(&model, node), None);
    let nan = [0x7FC0, 0, 0x7FC0, 0, 0x7FC0, 0];
    let (model, sdm) = sample("sdm120", None, &nan);
    assert_eq!(sdm.reading(&model, node), None);
    assert!(sdm.values.is_empty() && sdm.faults.len() >= 2);
    // Frequency 50 Hz, import 0.3 kWh (a float a little above), export 0; then the words the wrong way round.
    let words = [0x4248, 0, 0x3E99, 0x999A, 0, 0];
    let (model, sdm) = sample("sdm120", None, &words);
    let reading = sdm.reading(&model, node).unwrap();
    assert_eq!(
        (reading.register.0, reading.frequency_chz),
        (300, Some(5_000))
    );
    let (model, swapped) = sample("sdm120", Some(WordOrder::LowFirst), &words);
    assert_ne!(
        swapped.reading(&model, node).map(|r| r.register.0),
        Some(300)
    );
}

#[test]
fn a_counter_that_wraps_is_counted_by_its_own_counter() {
    let model = model("selec-em2m");
    let mut sample = Sample::default();
    sample.put(Quantity::Import, Ok(5_010.4), Duration::ZERO);
    assert_eq!(
        sample.import(&model),
        None,
        "without the count nobody knows"
    );
    sample.wraps = Some(2);
    assert_eq!(sample.import(&model).map(|wh| wh.0), Some(200_005_010));
}

#[test]
fn a_directory_overrides_and_its_mistakes_are_listed() {
    let folder = std::env::temp_dir().join(format!("models-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let own = builtin().find(|(id, _)| *id == "sdm120").unwrap().1;
    std::fs::write(
        folder.join("a.toml"),
        own.replace("SDM120-Modbus", "my SDM120"),
    )
    .unwrap();
    std::fs::write(folder.join("b.toml"), own.replace("1B 38", "1B 39")).unwrap();
    std::fs::write(folder.join("c.toml"), "nothing").unwrap();
    let (catalog, problems) = Catalog::with_directory(&folder);
    assert_eq!(catalog.get("sdm120").unwrap().name, "my SDM120");
    assert_eq!(catalog.iter().count(), builtin().count());
    assert_eq!(problems.len(), 2);
    assert!(problems[0].mistakes[0].contains("golden"), "{problems:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}
