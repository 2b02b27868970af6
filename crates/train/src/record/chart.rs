//! The loss curve as an SVG picture that needs nothing else.

use std::fmt::Write as _;

use crate::record::metrics::Line;

/// The file's name.
pub const FILE: &str = "loss.svg";

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 44.0;

/// Draws the loss of every step, and its running mean over a twentieth of the steps.
pub fn svg(lines: &[Line]) -> String {
    let losses: Vec<f64> = lines.iter().map(|line| line.loss).collect();
    let top = losses.iter().copied().fold(0.0, f64::max).max(1e-9);
    let last = lines.last().map_or(1, |line| line.step).max(2);
    let x = |step: u64| MARGIN + (WIDTH - 1.5 * MARGIN) * (step - 1) as f64 / (last - 1) as f64;
    let y = |loss: f64| HEIGHT - MARGIN / 1.5 - (HEIGHT - MARGIN) * loss / top;
    let path = |values: &[f64]| {
        let mut points = String::new();
        for (line, &value) in lines.iter().zip(values) {
            let _ = write!(points, "{:.1},{:.1} ", x(line.step), y(value));
        }
        points.trim_end().to_owned()
    };
    let window = (losses.len() / 20).max(1);
    let mean: Vec<f64> = (0..losses.len())
        .map(|at| {
            let recent = &losses[(at + 1).saturating_sub(window)..=at];
            recent.iter().sum::<f64>() / recent.len() as f64
        })
        .collect();
    let (left, right, bottom) = (MARGIN, WIDTH - MARGIN / 2.0, y(0.0));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#555\">\n\
         <title>Loss by step</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let height = y(top * share);
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {height:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.2}</text>",
            left - 6.0,
            height + 4.0,
            top * share
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{0:.1}\">1</text><text x=\"{right}\" y=\"{0:.1}\" text-anchor=\"end\">step {last}</text>",
        bottom + 16.0
    );
    let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"#9bc\" points=\"{}\"/>", path(&losses));
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" points=\"{}\"/>\n</svg>",
        path(&mean)
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::metrics::tests::line;

    #[test]
    fn every_step_has_a_point_inside_the_picture() {
        let lines: Vec<Line> = (1..=40).map(|step| line(step, 3.0 / step as f64)).collect();
        let svg = svg(&lines);
        let curves: Vec<&str> =
            svg.split("points=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(curves.len(), 2);
        for curve in curves {
            let points: Vec<(f64, f64)> = curve
                .split(' ')
                .filter_map(|point| point.split_once(','))
                .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
                .collect();
            assert_eq!(points.len(), 40);
            assert!(points.iter().all(|(x, y)| (0.0..=WIDTH).contains(x) && (0.0..=HEIGHT).contains(y)));
            assert!(points.windows(2).all(|pair| pair[1].0 > pair[0].0 && pair[1].1 >= pair[0].1));
        }
    }

    #[test]
    fn one_step_or_none_is_drawn_as_well() {
        for lines in [vec![], vec![line(1, 2.0)]] {
            let svg = svg(&lines);
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
