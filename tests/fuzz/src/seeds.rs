//! Seed corpora from test data that the project has anyway: answers of real servers, encoded bodies, configurations.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::comparison::{BETWEEN, PLANS};
use crate::encoding;

/// Longest seed: longer ones slow every run down and show nothing more.
pub const LONGEST: usize = 16 << 10;

/// Writes the seeds of a fuzz target to the folder that the environment variable `SEEDS` names, if there is one, which must be before
/// libFuzzer reads its corpora.
///
/// # Panics
/// If a file or folder can't be read or written.
pub fn write(target: &str) {
    if let Some(to) = std::env::var_os("SEEDS") {
        let mut seeds = Seeds { target, to: to.into(), count: 0 };
        all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), &mut seeds).expect("seeds can be written");
    }
}

fn all(project: &Path, seeds: &mut Seeds<'_>) -> io::Result<()> {
    let data = project.join("tests/data");
    for folder in entries(&data.join("answers"), Path::is_dir)? {
        answers(&folder, seeds)?;
    }
    for file in entries(&data.join("encodings"), Path::is_file)? {
        encoded(&file, seeds)?;
    }
    let refused = project.join("src/config/parse/refused.txt");
    for file in entries(&data.join("config"), Path::is_file)?.iter().chain([&refused]) {
        let text = fs::read(file)?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("json") => seeds.add("configuration", &[&text])?,
            Some("txt") => text.split(|&byte| byte == b'\n').try_for_each(|line| seeds.add("configuration", &[line]))?,
            _ => {}
        }
    }
    Ok(())
}

struct Seeds<'a> {
    target: &'a str,
    to: PathBuf,
    count: usize,
}

impl Seeds<'_> {
    fn add(&mut self, target: &str, parts: &[&[u8]]) -> io::Result<()> {
        let seed = parts.concat();
        if target != self.target || seed.len() > LONGEST {
            return Ok(());
        }
        self.count += 1;
        fs::write(self.to.join(self.count.to_string()), seed)
    }
}

/// The pairs of one server; and each answer and request by itself, for the parsers that `comparison` and `copies` are made of.
fn answers(folder: &Path, seeds: &mut Seeds<'_>) -> io::Result<()> {
    for (number, file) in entries(folder, Path::is_file)?.iter().enumerate() {
        let name = file.to_string_lossy();
        if let Some(case) = name.strip_suffix(".request") {
            request(Path::new(case), seeds)?;
        }
        let Some(case) = name.strip_suffix(".baseline.body") else { continue };
        let (primary, head) = (fs::read(file)?, fs::read_to_string(format!("{case}.baseline.head"))?);
        let shadow = fs::read(format!("{case}.candidate.body")).unwrap_or_else(|_| primary.clone());
        let shadow_head = fs::read_to_string(format!("{case}.candidate.head")).unwrap_or_else(|_| head.clone());
        let wire_format = wire_format(folder, &head);
        let line =
            |head: &str| if wire_format == b'4' { format!("{}\n", header(head, "inference-header-content-length")) } else { String::new() };
        let coding = |head: &str| match header(head, "content-encoding") {
            "gzip" => b'1',
            "deflate" => b'2',
            "br" => b'3',
            "zstd" => b'4',
            _ => b'0',
        };
        // Every pair as it is compared by default, and as one task or another.
        for plan in [0, number % PLANS.len()] {
            let chosen = [wire_format, b'0' + plan as u8, b'@', coding(&head), coding(&shadow_head)];
            let (first, second) = (line(&head), line(&shadow_head));
            seeds.add("comparison", &[&chosen, first.as_bytes(), &primary, BETWEEN, second.as_bytes(), &shadow])?;
        }
        match wire_format {
            b'7' => seeds.add("stream", &[b"00", &primary])?,
            b'4' | b'5' => {}
            _ => seeds.add("json", &[b"0", &primary])?,
        }
    }
    Ok(())
}

/// The digit of the wire format in which an answer of this server is read.
fn wire_format(folder: &Path, head: &str) -> u8 {
    let server = folder.file_name().unwrap_or_default();
    match header(head, "content-type") {
        "application/octet-stream" => b'4',
        "application/grpc" => b'5',
        kind if kind.starts_with("text/event-stream") => b'7',
        _ if server == "kserve" => b'2',
        _ if server == "triton" || server == "mlserver" => b'3',
        _ => b'6',
    }
}

fn request(case: &Path, seeds: &mut Seeds<'_>) -> io::Result<()> {
    let file = |end: &str| format!("{}{end}", case.display());
    let (body, head) = (fs::read(file(".request"))?, fs::read_to_string(file(".request.head"))?);
    let length = header(&head, "inference-header-content-length");
    let (kind, line) = match header(&head, "content-type") {
        "application/grpc" => (b'2', String::new()),
        _ if !length.is_empty() => (b'1', format!("{length}\n")),
        _ => (b'0', String::new()),
    };
    for shadow in b'0'..b'6' {
        seeds.add("copies", &[&[shadow, b'@', kind], line.as_bytes(), &body])?;
    }
    Ok(())
}

/// The value of a field of a recorded head.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// A body whose name ends in its codings, in the order in which they were applied.
fn encoded(file: &Path, seeds: &mut Seeds<'_>) -> io::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let codings: Vec<&str> = name
        .split('.')
        .skip(1)
        .map(|end| match end {
            "gz" => "gzip",
            "zst" => "zstd",
            "zlib" => "deflate",
            other => other,
        })
        .collect();
    if codings == ["deflate"] {
        for shadow in b'0'..b'6' {
            seeds.add("copies", &[&[shadow, b'@', b'3'], &fs::read(file)?])?;
        }
    }
    match encoding::CODINGS.iter().position(|known| *known == codings.join(", ")) {
        Some(at) => seeds.add("encoding", &[&[b'0' + at as u8, b'@'], &fs::read(file)?]),
        None => Ok(()),
    }
}

/// What is in a folder, in order; nothing if there is no such folder.
fn entries(folder: &Path, wanted: fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let Ok(found) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths = found.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| wanted(path));
    paths.sort();
    Ok(paths)
}
