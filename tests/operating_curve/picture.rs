//! The figures as a picture of three panels, in SVG. On a ground of its own, so that it can be read on a light and on a dark page.

use std::fmt::Write;

use crate::figures::{Alarms, Figures, GOOD, Turned, WINDOWS};
use crate::page::{grouped, percent};

const WIDTH: f64 = 800.0;
const PANEL: f64 = 350.0;

/// The area of a panel that curves are drawn in.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 290.0;

/// Colours that can be told apart by those who see few (Okabe and Ito 2008).
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#007a5a"];

/// From a value to its place.
struct Axis {
    title: &'static str,
    from: f64,
    to: f64,
    logarithmic: bool,
    /// Values that are written beside it.
    marks: Vec<(f64, String)>,
}

impl Axis {
    /// 0 where it begins, 1 where it ends.
    fn share(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.max(f64::MIN_POSITIVE).ln() } else { value };
        ((scale(value) - scale(self.from)) / (scale(self.to) - scale(self.from))).clamp(0.0, 1.0)
    }

    fn trials(title: &'static str, to: f64) -> Self {
        let marks = (0..).map(|power| 10_u64.pow(power)).take_while(|mark| *mark as f64 <= to);
        Self { title, from: 1.0, to, logarithmic: true, marks: marks.map(|mark| (mark as f64, grouped(mark))).collect() }
    }
}

struct Curve {
    name: String,
    colour: &'static str,
    dashed: bool,
    points: Vec<(f64, f64)>,
}

/// The whole picture.
pub fn picture(figures: &Figures) -> String {
    let height = 3.0 * PANEL;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222">
<title>Operating curve of Gnomon's gates: false alarms, detection, and detection after a long good history</title>
<rect width="{WIDTH}" height="{height}" rx="6" fill="#fcfcfa"/>
"##
    );
    let panels = [false_alarms(figures), detection(figures), turned(figures)];
    for (number, (title, x, y, curves)) in panels.iter().enumerate() {
        let down = number as f64 * PANEL;
        writeln!(svg, r#"<g transform="translate(0 {down})">"#).expect("a string takes all");
        panel(&mut svg, title, x, y, curves);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

type Panel = (String, Axis, Axis, Vec<Curve>);

fn false_alarms(figures: &Figures) -> Panel {
    let end = figures.size.horizon as f64;
    let steps: Vec<f64> = (0..=100).map(|step| end.powf(f64::from(step) / 100.0)).collect();
    let curve = |alarms: &Alarms, colour, gate: bool| {
        let (name, times) = if gate { ("gate", &alarms.gate) } else { ("z-test", &alarms.z_test) };
        let points = steps.iter().map(|trials| (*trials, 100.0 * times.within(*trials as u64))).collect();
        Curve { name: format!("{name}, limit {} %", percent(alarms.setting.limit)), colour, dashed: !gate, points }
    };
    let both = [false, true].into_iter();
    let mut curves: Vec<Curve> =
        both.flat_map(|gate| figures.on_the_limit.iter().zip(COLOURS).map(move |(alarms, colour)| curve(alarms, colour, gate))).collect();
    curves.push(Curve { name: "promised: 5 %".into(), colour: "#666", dashed: true, points: vec![(1.0, 5.0), (end, 5.0)] });
    let marks = [0, 5, 20, 40, 60, 80, 100].map(|mark| (f64::from(mark), format!("{mark} %"))).to_vec();
    let y = Axis { title: "runs with a false alarm so far", from: 0.0, to: 100.0, logarithmic: false, marks };
    ("False alarms: nothing is wrong, and someone looks after every trial".into(), Axis::trials("trials", end), y, curves)
}

fn detection(figures: &Figures) -> Panel {
    let mut curves: Vec<Curve> = Vec::new();
    for gate in [true, false] {
        for alarms in &figures.above {
            let Some(median) = (if gate { &alarms.gate } else { &alarms.z_test }).quantile(0.5) else { continue };
            let limit = percent(alarms.setting.limit);
            let name = if gate { format!("gate, limit {limit} %") } else { format!("z-test, limit {limit} %") };
            let odds = |rate: f64| rate / (1.0 - rate);
            let point = (odds(alarms.setting.rate) / odds(alarms.setting.limit), median as f64);
            match curves.last_mut().filter(|curve| curve.name == name) {
                Some(curve) => curve.points.push(point),
                None => {
                    let colour = COLOURS.get(curves.len() % COLOURS.len()).copied().unwrap_or("#222");
                    curves.push(Curve { name, colour, dashed: !gate, points: vec![point] });
                }
            }
        }
    }
    let marks = [1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0].map(|mark| (mark, format!("{mark}"))).to_vec();
    let x = Axis { title: "odds of a bad trial, as a multiple of the limit's", from: 1.2, to: 100.0, logarithmic: true, marks };
    ("Detection: median of trials until the alarm, by how much is wrong".into(), x, Axis::trials("trials", 20_000.0), curves)
}

fn turned(figures: &Figures) -> Panel {
    let curve = |name: String, colour, pick: &dyn Fn(&Turned) -> Option<u64>| {
        let points = figures.turned.iter().filter_map(|turned| Some((100.0 * turned.rate, pick(turned)? as f64))).collect();
        Curve { name, colour, dashed: false, points }
    };
    let window = |at: usize, colour| {
        let name = format!("guardrail, window {} min", WINDOWS[at].as_secs() / 60);
        curve(name, colour, &|turned| turned.guardrail[at].quantile(0.5))
    };
    let whole = curve("whole experiment".into(), COLOURS[1], &|turned| turned.whole.quantile(0.5));
    let curves = vec![whole, window(0, COLOURS[0]), window(1, COLOURS[2])];
    let marks = [1, 2, 5, 10, 20, 50, 100].map(|mark| (f64::from(mark), format!("{mark} %"))).to_vec();
    let x = Axis { title: "rate of bad trials from then on; the limit is 1 %", from: 1.0, to: 100.0, logarithmic: true, marks };
    let title = format!("After a good history of {} answers: median of trials until the alarm", grouped(GOOD));
    (title, x, Axis::trials("trials from then on", 100_000.0), curves)
}

fn panel(svg: &mut String, title: &str, x: &Axis, y: &Axis, curves: &[Curve]) {
    let across = |value: f64| LEFT + (RIGHT - LEFT) * x.share(value);
    let up = |value: f64| BOTTOM - (BOTTOM - TOP) * y.share(value);
    let mut line = |text: String| {
        svg.push_str(&text);
        svg.push('\n');
    };
    line(format!(r#"<text x="20" y="28" font-size="15" font-weight="bold">{title}</text>"#));
    for (value, text) in &x.marks {
        let at = across(*value);
        line(format!(r##"<path d="M{at:.1} {TOP}V{BOTTOM}" stroke="#ddd"/>"##));
        line(format!(r#"<text x="{at:.1}" y="{}" text-anchor="middle">{text}</text>"#, BOTTOM + 18.0));
    }
    for (value, text) in &y.marks {
        let at = up(*value);
        line(format!(r##"<path d="M{LEFT} {at:.1}H{RIGHT}" stroke="#ddd"/>"##));
        line(format!(r#"<text x="{}" y="{:.1}" text-anchor="end">{text}</text>"#, LEFT - 8.0, at + 4.0));
    }
    line(format!(r##"<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#222"/>"##));
    let middle = (LEFT + RIGHT) / 2.0;
    line(format!(r#"<text x="{middle}" y="{}" text-anchor="middle">{}</text>"#, BOTTOM + 38.0, x.title));
    let middle = (TOP + BOTTOM) / 2.0;
    line(format!(r#"<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{}</text>"#, y.title));
    for (number, curve) in curves.iter().enumerate() {
        let dashes = if curve.dashed { r#" stroke-dasharray="5 4""# } else { "" };
        let style = format!(r#"fill="none" stroke="{}" stroke-width="2"{dashes}"#, curve.colour);
        let points: Vec<String> = curve.points.iter().map(|point| format!("{:.1} {:.1}", across(point.0), up(point.1))).collect();
        if !points.is_empty() {
            line(format!(r#"<path d="M{}" {style}/>"#, points.join("L")));
        }
        // Few points are measured ones, which a line only joins.
        for (cx, cy) in curve.points.iter().filter(|_| curve.points.len() > 2 && curve.points.len() < 20).map(|p| (across(p.0), up(p.1))) {
            line(format!(r#"<circle cx="{cx:.1}" cy="{cy:.1}" r="3" fill="{}"/>"#, curve.colour));
        }
        let at = TOP + 10.0 + 20.0 * number as f64;
        line(format!(r#"<path d="M{} {at}h26" {style}/>"#, RIGHT + 16.0));
        line(format!(r#"<text x="{}" y="{}">{}</text>"#, RIGHT + 48.0, at + 4.0, curve.name));
    }
}
