//! Documents without Rust types: a kind given as data is saved and restored like a typed one, by either side.
#![allow(missing_docs)]

mod stage;

use std::cell::RefCell;
use std::rc::Rc;

use overwinter::{
    AppInfo, Arrival, Form, Group, RawDocument, Record, Session, Standing, Value, restore,
};
use stage::*;

struct RawPage(RefCell<Record>);

type Shown = (Group, Rc<RawPage>);

impl RawDocument for RawPage {
    fn title(&self) -> String {
        "A note".to_owned()
    }
    fn capture(&self) -> Result<Record, String> {
        Ok(self.0.borrow().clone())
    }
    fn adopt(&self) {}
    fn retire(&self) {}
    fn discard(&self) {}
}

#[test]
fn a_kind_given_as_data_reads_and_writes_what_a_rust_type_does() {
    let bus = PrivateBus::start();
    let peer = Peer::start(&bus, "wake");
    let pages: Rc<RefCell<Vec<Shown>>> = Rc::default();
    let shown = pages.clone();
    let session = Session::builder(AppInfo::new("org.example.Notes", "1.0"))
        .bus(&bus.address)
        .raw_documents(
            Form::of::<Note>(),
            move |group, arrival: Arrival<Record>| {
                if arrival
                    .state
                    .body
                    .get("text")
                    .and_then(Value::as_text)
                    .is_none()
                {
                    return Err("a note has a text".to_owned());
                }
                let page = Rc::new(RawPage(arrival.state.into()));
                shown.borrow_mut().push((group.clone(), page.clone()));
                Ok(page as Rc<dyn RawDocument>)
            },
        )
        .connect();
    assert!(matches!(peer.hear(&session), Said::Register { .. }));

    let state = note("from a typed program");
    peer.restore(90, 3, "wake", 4, &state);
    let Said::Restored { digest, .. } = peer.hear(&session) else {
        panic!("restored")
    };
    let original = restore::<Note>(&state).unwrap().provenance.digest();
    assert_eq!(digest, original.unwrap());
    peer.ask("Adopt", &(91_u64, GROUP, 3_u64, LEASE)).unwrap();
    let (group, page) = pages.borrow()[0].clone();
    pump(&session, || group.standing() == Standing::Live);
    page.0.borrow_mut().body.insert("text", "edited as data");
    group.changed();
    let Said::Saved {
        op: 0,
        revision: 5,
        state,
        ..
    } = peer.hear(&session)
    else {
        panic!("saved by itself")
    };
    assert_eq!(
        restore::<Note>(&state).unwrap().value.text,
        "edited as data"
    );

    // A record that does not fit is the app's to refuse, a state of another type the library's.
    let mut record = Record::default();
    record.body.insert("text", 7_i64);
    let misfit = overwinter::save_record(&Form::of::<Note>(), record.clone(), None).unwrap();
    peer.restore(92, 4, "wake", 1, &misfit.bytes);
    let said = peer.hear(&session);
    assert!(
        matches!(&said, Said::Failed { op: 92, why } if why == "a note has a text"),
        "{said:?}"
    );
    let chain = overwinter::Chain::new(1, Vec::new()).unwrap();
    let other = Form::new("org.example.Other/document", [0; 32], chain);
    let other = overwinter::save_record(&other, record, None).unwrap();
    peer.restore(93, 5, "wake", 1, &other.bytes);
    let said = peer.hear(&session);
    assert!(
        matches!(&said, Said::Failed { op: 93, why } if why.contains("org.example.Other")),
        "{said:?}"
    );
}
