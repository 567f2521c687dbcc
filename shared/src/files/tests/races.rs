//! Two writers, a reader, a deleter and a collector of one name, in any order that a seed gives.

use futures::StreamExt;
use proptest::prelude::*;

use super::memory::Memory;
use super::{AT_ONCE, CHUNK, Local, Swept, Target, bytes, files, name};
use crate::files::{FileError, Files, Source};

/// What is done to a name.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A file of so many chunks; every writer has bytes of its own.
    Put(u8),
    Get,
    Delete,
    Collect,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0u8..4).prop_map(Act::Put),
        3 => Just(Act::Get),
        1 => Just(Act::Delete),
        1 => Just(Act::Collect),
    ]
}

fn content(seed: u8, chunks: u8) -> bytes::Bytes {
    bytes(usize::from(chunks) * CHUNK / 2 + 3, seed)
}

/// Does one thing; whatever is read must be whole, one version or another.
async fn perform(files: &Files<Memory>, act: Act, seed: u8) {
    match act {
        Act::Put(chunks) => {
            let mut local = Local::new(&content(seed, chunks));
            local.seek(0).unwrap();
            let put = files.put(&name(), &mut local, |_| {}).await;
            // The collector of this test waits for nobody.
            assert!(matches!(put, Ok(_) | Err(FileError::GivenUp { .. })), "{put:?}");
        }
        Act::Get => {
            let mut target = Target::default();
            match files.get(&name(), &mut target, |_| {}).await {
                Ok(got) => {
                    let seed = target.0[0];
                    let chunks = (0..4).find(|n| content(seed, *n).len() == target.0.len());
                    assert!(target.0 == content(seed, chunks.unwrap()), "a mixture: {got:?}");
                }
                Err(FileError::NotFound { .. } | FileError::Replaced { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        Act::Delete => match files.delete(&name()).await {
            Ok(_) | Err(FileError::NotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        },
        Act::Collect => {
            files.collect(&name(), AT_ONCE).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_name_is_whole_whatever_is_done_to_it_at_once(
        rounds in prop::collection::vec(prop::collection::vec(act(), 1..5), 1..5)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let memory = Memory::default();
            let files = files(&memory);
            let mut seed = 0;
            for round in rounds {
                let acts = futures::stream::FuturesUnordered::new();
                for act in round {
                    seed += 1;
                    acts.push(perform(&files, act, seed));
                }
                acts.collect::<Vec<()>>().await;
            }
            // In the end the file is whole, and nothing else is left.
            perform(&files, Act::Get, 0).await;
            files.collect(&name(), AT_ONCE).await.unwrap();
            let mut swept = Swept::default();
            while !swept.is_over() {
                files.sweep(&mut swept, 5, true).await.unwrap();
            }
            perform(&files, Act::Get, 0).await;
            let record = files.stat(&name()).await.unwrap().record;
            let expected = record.current.map_or(0, |manifest| {
                1 + manifest.layout.chunks() + manifest.layout.pages()
            });
            assert_eq!(memory.keys().len() as u64, expected);
        });
    }
}
