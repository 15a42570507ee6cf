//! One scenario, once without a fault, and then once for each of its steps and each fault.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::stage::{Place, Stage};

/// `STEPS_ONLY="scenario:step:fault"` runs one; parts may be left out from the end.
const ONLY: &str = "STEPS_ONLY";
/// `STEPS_ALL=1` runs every fault at every step, which takes minutes. Otherwise a kill and an emptied Redis fall at
/// every step, and the other faults take turns.
const ALL: &str = "STEPS_ALL";

/// Goes over all steps and faults of a scenario. `prepare` happens before the first step, `act` is what faults fall
/// into.
pub(super) async fn explore(
    scenario: &str,
    prepare: impl AsyncFn(&mut Stage),
    act: impl AsyncFn(&mut Stage),
) {
    let only = std::env::var(ONLY).unwrap_or_default();
    let mut only = only.split(':').filter(|part| !part.is_empty());
    if only.next().is_some_and(|wanted| wanted != scenario) {
        return;
    }
    let (only_step, only_fault) = (only.next(), only.next());

    let mut stage = Stage::set().await;
    let places = match run(&mut stage, None, &prepare, &act).await {
        Ok(places) => places,
        Err(wrong) => panic!("{scenario}, without a fault: {wrong}"),
    };
    let places = without_equal_reads(places);
    let mut runs: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    let all = only_step.is_some() || std::env::var_os(ALL).is_some();
    for (index, place) in places.iter().enumerate() {
        // A step comes twice, before and after its server has done it.
        for fault in Fault::at(&place.step, if all { None } else { Some(index / 2) }) {
            let (step, name) = (place.to_string(), format!("{fault:?}"));
            if only_step.is_some_and(|only| only != step) || only_fault.is_some_and(|only| only != name) {
                continue;
            }
            *runs.entry(name).or_default() += 1;
            if let Err(wrong) = run(&mut stage, Some((step.clone(), fault)), &prepare, &act).await {
                failures.push(format!("{ONLY}=\"{scenario}:{step}:{fault:?}\": {wrong}"));
            }
        }
    }
    let total: usize = runs.values().sum();
    println!("{scenario}: {} steps, {total} runs: {runs:?}", places.len());
    assert!(
        failures.is_empty(),
        "{} of {total} runs of {scenario} went wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

async fn run(
    stage: &mut Stage,
    plan: Option<(String, Fault)>,
    prepare: &impl AsyncFn(&mut Stage),
    act: &impl AsyncFn(&mut Stage),
) -> Result<Vec<Place>, String> {
    let planned = plan.is_some();
    stage.clear(plan).await;
    prepare(stage).await;
    stage.watch();
    act(stage).await;
    let places = stage.open();
    if planned && stage.fallen.is_none() {
        return Err("the step was never reached".into());
    }
    stage.recover().await?;
    let document = stage.deliver_everything_again().await?;
    stage.judge(&document).await?;
    Ok(places)
}

/// The sweeper reads shard after shard of the backlog, and nothing happens between: the first and the last of these
/// reads stand for all.
fn without_equal_reads(places: Vec<Place>) -> Vec<Place> {
    let is_read = |place: &Place| place.step.name == "ZRANGE";
    let last = places
        .iter()
        .filter(|place| is_read(place))
        .map(|place| place.nth)
        .max();
    places
        .into_iter()
        .filter(|place| !is_read(place) || place.nth == 1 || Some(place.nth) == last)
        .collect()
}
