//! Throughput of the input pipeline: `cargo xtask bench input` compares it with torchvision's.
//!
//! ```text
//! cargo bench -p alrao-tasks --bench input -- rate SECONDS FOLDER
//! cargo bench -p alrao-tasks --bench input -- pixels COUNT FOLDER FILE
//! ```
//!
//! `pixels` writes the first test images, each decoded and resized to 224 pixels, to compare them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alrao_tasks::data::decode::ImageFile;
use alrao_tasks::data::{ImageDataLoader, ImageDataset, ImageFolder, Split};
use alrao_tasks::networks::Normalize;
use anyhow::{Context, Result, anyhow, bail};
use tch::Device;

const SIDE: usize = 224;
const BATCH: usize = 128;

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<()> {
    tch::set_num_threads(1);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rate", seconds, folder] => rate(Duration::from_secs(seconds.parse().context("seconds")?), folder.as_ref()),
        ["pixels", count, folder, file] => pixels(count.parse().context("a count")?, folder.as_ref(), file.as_ref()),
        [] => Ok(()), // run without arguments by `cargo test --all-targets`
        _ => bail!("usage: rate SECONDS FOLDER, or pixels COUNT FOLDER FILE"),
    }
}

/// Reads batches for this time, after the first, and prints the images per second.
fn rate(time: Duration, folder: &Path) -> Result<()> {
    let images = Arc::new(ImageFolder::read(folder, SIDE)?);
    let pixels = Normalize::new(images.channel_stats(), Device::Cpu);
    let data = ImageDataLoader { images, batch_size: BATCH, max_images: None, seed: 0 };
    let (mut started, mut count) = (None, 0);
    for epoch in 0.. {
        for batch in data.batches(Split::Train, epoch, 0) {
            let x = pixels.apply(&batch?.x);
            let since: &Instant = match &started {
                Some(since) => since,
                None => {
                    started = Some(Instant::now());
                    continue;
                }
            };
            count += x.size()[0];
            if since.elapsed() > time {
                println!("{:.1} images/s", count as f64 / since.elapsed().as_secs_f64());
                return Ok(());
            }
        }
    }
    unreachable!("the loop is endless")
}

/// Writes test images, `[height, width, 3]` each, decoded and resized.
fn pixels(count: usize, folder: &Path, file: &Path) -> Result<()> {
    let images = ImageFolder::read(folder, SIDE)?;
    let mut out = BufWriter::new(File::create(file)?);
    let mut planes = vec![0; 3 * SIDE * SIDE];
    for index in 0..count.min(images.labels(Split::Test).len()) {
        let path = images.path(Split::Test, index);
        let file = fs::read(path)?;
        let image = ImageFile::open(&file).and_then(|file| file.decode());
        let image = image.map_err(|problem| anyhow!("{}: {problem}", path.display()))?;
        out.write_all(&image.rgb)?;
        images.image(Split::Test, index, None, &mut planes)?;
        let of_pixel = |i: usize| [0, 1, 2].map(|channel| planes[channel * SIDE * SIDE + i]);
        out.write_all(&(0..SIDE * SIDE).flat_map(of_pixel).collect::<Vec<u8>>())?;
    }
    Ok(out.flush()?)
}
