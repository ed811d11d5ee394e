use std::time::Duration;
use sip::Transport;
use simulator::places::*;
use simulator::*;

#[test]
fn probe() {
    let mut place = TwoDomains::new(Simulation::new(1, Conditions::PERFECT), (Transport::Ws, Transport::Udp), Habits::default());
    let s = &mut place.simulation;
    println!("{:#?}", s.ladder().lines());
    s.clear_ladder();
    s.act(place.alice, Act::Call("sip:bob@biloxi.example.com".into()));
    s.run_for(Duration::from_secs(5));
    s.act(place.bob, Act::HangUpAll);
    s.run_for(Duration::from_secs(5));
    println!("{:#?}", s.ladder().lines());
    s.wind_up();
}
#[test]
fn probe_bad() {
    for_each_seed(500, |seed| {
    let mut place = TwoDomains::new(Simulation::new(seed, Conditions::bad(seed)), (Transport::Ws, Transport::Udp), Habits::default());
    let s = &mut place.simulation;
    s.act(place.alice, Act::Call("sip:bob@biloxi.example.com".into()));
    s.run_for(Duration::from_secs(15));
    s.act(place.bob, Act::HangUpAll);
    s.wind_up();
    s.ladder().clone()
    });
}
