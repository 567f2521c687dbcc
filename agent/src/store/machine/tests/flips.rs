//! One flipped bit in a snapshot's pieces on their way: none is installed unless all are as sent.

use super::*;
use crate::flips::{Dice, Verdict, row};

/// A batch of one put, with a value that its number decides.
pub(super) fn fill(rig: &mut Rig, number: u64) {
    let length = usize::try_from(number * 37 % 900).unwrap();
    let (key, value) = (format!("k{}", number % 150), format!("{number}.").repeat(length / 4 + 1));
    let action = match number % 11 {
        3 => WriteAction::Delete,
        7 => put_until(&value, START.plus_ms(1_000_000 + number)),
        _ => put(&value),
    };
    rig.one(START.plus_ms(number), operation(request(number % 5, number, START), &key, action));
}

#[tokio::test]
async fn flipped_bits_in_a_snapshots_pieces() {
    let mut from = Rig::serving().await;
    for number in 1..=150 {
        fill(&mut from, number);
    }
    let large = "x".repeat(700 << 10);
    for number in 151..=153 {
        from.one(START, operation(request(9, number, START), &format!("l{number}"), put(&large)));
    }
    let pieces: Vec<Bytes> = from.machine.outgoing().chunks().collect::<Result<_, _>>().unwrap();
    assert!(pieces.len() > 2);
    let mut hasher = blake3::Hasher::new();
    for piece in &pieces {
        hasher.update(piece);
    }
    let hash = *hasher.finalize().as_bytes();
    let row = row("snapshot pieces in transfer", 60, async |dice: &mut Dice| {
        let into = Rig::of(SHARD).await;
        let mut sent = pieces.clone();
        let hit = dice.below(sent.len());
        let mut bytes = sent[hit].to_vec();
        let (at, bit) = (dice.below(bytes.len()), dice.below(8));
        bytes[at] ^= 1 << bit;
        sent[hit] = bytes.into();
        let what = format!("piece {hit} at {at}, bit {bit}");
        let mut staging = into.machine.stage(1).await.unwrap();
        let mut refused = false;
        for (number, piece) in (0..).zip(sent) {
            refused = staging.add(number, piece).await.is_err();
            if refused {
                break;
            }
        }
        if refused {
            drop(staging);
        } else {
            refused = staging.finish(pieces.len() as u64, hash).await.is_err();
        }
        let nothing_left =
            into.machine.status().applied.is_none() && into.engine.list().unwrap().len() == 2;
        let noticed = refused && nothing_left;
        (if noticed { Verdict::Detected } else { Verdict::Silent }, what)
    })
    .await;
    row.assert_never_silent();
}
