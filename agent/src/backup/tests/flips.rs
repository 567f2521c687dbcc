//! One flipped bit in any file of an archive: a backup that has rotted is never restored as whole.

use super::*;
use crate::env::fs;
use crate::flips::{Dice, Verdict, row};

/// How the archive takes what has become of its files.
async fn taken(archive: &Archive, expected: &[StoredRecord]) -> Verdict {
    let Ok(manifest) = archive.manifest(ID).await else { return Verdict::Detected };
    let verified = archive.verify(ID).await.is_ok_and(|found| found.is_whole());
    if !verified {
        return Verdict::Detected;
    }
    let read = read_back(archive, manifest.shards[0].clone()).await;
    if read == expected { Verdict::Harmless } else { Verdict::Silent }
}

#[tokio::test]
async fn flipped_bits_in_an_archive() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    let records = some_records();
    back_up(&archive, &records).await;
    let all = files(place.path());
    assert_eq!(taken(&archive, &records).await, Verdict::Harmless);
    for (kind, part) in
        [("/manifests/", "manifest of a backup"), ("/chunks/", "chunks of a backup")]
    {
        let of_kind: Vec<_> =
            all.iter().filter(|path| path.to_string_lossy().contains(kind)).collect();
        let row = row(part, 60, async |dice: &mut Dice| {
            let path = of_kind[dice.below(of_kind.len())];
            let bytes = fs::read(&RealDisk, path).unwrap();
            let (at, bit) = (dice.below(bytes.len()), dice.below(8));
            let file = RealDisk.open(path, Create::Never).unwrap();
            file.write_all_at(&[bytes[at] ^ 1 << bit], at as u64).unwrap();
            let verdict = taken(&archive, &records).await;
            file.write_all_at(&bytes[at..=at], at as u64).unwrap();
            (verdict, format!("{} at {at}, bit {bit}", path.display()))
        })
        .await;
        row.assert_never_silent();
        // There is no byte in an archive that does not count.
        assert_eq!(row.count(Verdict::Harmless), 0);
    }
}
