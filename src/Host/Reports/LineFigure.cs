using System.Globalization;
using System.Text;

namespace RepNoise.Host.Reports;

/// <summary>A point of a line.</summary>
/// <param name="X">Place.</param>
/// <param name="Y">Value.</param>
/// <param name="Deviation">Half the length of its whisker; 0 for none.</param>
internal readonly record struct FigurePoint(double X, double Y, double Deviation = 0);

/// <summary>A line of a figure.</summary>
/// <param name="Name">For the key.</param>
/// <param name="Style">Number of its colour, dash and marker.</param>
/// <param name="Points">In the order of x.</param>
internal sealed record Series(string Name, int Style, IReadOnlyList<FigurePoint> Points);

/// <summary>Lines in one small panel, as wide as a telephone, so that its letters are readable on every screen.</summary>
internal static class LineFigure
{
    private const int Width = 360, Height = 230, Left = 46, Right = 12, Top = 10, Bottom = 42;

    /// <summary>Styles beyond which colours, dashes and markers repeat.</summary>
    public const int Styles = 6;

    /// <summary>Dashes tell lines apart where colours do not.</summary>
    private static readonly string[] Dashes = ["", "6 3", "2 3", "9 3 2 3", "", "4 2"];

    /// <summary>Writes a figure with its title.</summary>
    /// <param name="html">The page.</param>
    /// <param name="title">Says what is shown.</param>
    /// <param name="x">Horizontal axis.</param>
    /// <param name="y">Vertical axis.</param>
    /// <param name="series">The lines.</param>
    /// <param name="markers">True marks every point; false draws lines alone.</param>
    /// <param name="connected">False draws points alone.</param>
    /// <param name="reference">A horizontal dashed line with its name, or null.</param>
    public static void Write(Html html, string title, Axis x, Axis y, IReadOnlyList<Series> series, bool markers = true, bool connected = true, (string Name, double Value)? reference = null)
    {
        string description = $"{title}. {x.Label} against {y.Label}. " + string.Join("; ", series.Select(line => $"{line.Name}: {Summary(line)}"));
        html.Raw($"<figure class=\"panel\"><figcaption>{Html.Escape(title)}</figcaption><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{Html.Escape(description)}\">");
        Axes(html, x, y);
        if (reference is var (name, value))
        {
            double at = Y(y, value);
            html.Raw($"<line class=\"floor\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at:0.#}\" y2=\"{at:0.#}\"/><text class=\"small\" x=\"{Width - Right}\" y=\"{at - 3:0.#}\" text-anchor=\"end\">{Html.Escape(name)}</text>");
        }

        foreach (var line in series) Line(html, x, y, line, markers, connected);
        html.Raw("</svg></figure>");
    }

    /// <summary>Writes the key of some lines: colour, dash, marker and name.</summary>
    public static void Key(Html html, IEnumerable<(string Name, int Style)> series, bool lines = true)
    {
        html.Raw("<ul class=\"key\">");
        foreach (var (name, style) in series)
        {
            string stroke = lines ? $"<line class=\"line s{style % Styles}\" stroke-dasharray=\"{Dashes[style % Styles]}\" x1=\"1\" x2=\"33\" y1=\"6\" y2=\"6\"/>" : "";
            html.Raw($"<li><svg viewBox=\"0 0 34 12\" width=\"34\" height=\"12\" aria-hidden=\"true\">{stroke}{Marker(17, 6, style)}</svg> {Html.Escape(name)}</li>");
        }

        html.Raw("</ul>");
    }

    private static void Axes(Html html, Axis x, Axis y)
    {
        foreach (double tick in y.Ticks.Where(tick => y.Place(tick) is >= -0.001 and <= 1.001))
        {
            double at = Y(y, tick);
            html.Raw($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at:0.#}\" y2=\"{at:0.#}\"/><text x=\"{Left - 6}\" y=\"{at + 4:0.#}\" text-anchor=\"end\">{Axis.Text(tick)}</text>");
        }

        foreach (double tick in x.Ticks.Where(tick => x.Place(tick) is >= -0.001 and <= 1.001))
        {
            double at = X(x, tick);
            html.Raw($"<line class=\"tick\" x1=\"{at:0.#}\" x2=\"{at:0.#}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom + 4}\"/><text x=\"{at:0.#}\" y=\"{Height - Bottom + 17}\" text-anchor=\"middle\">{Axis.Text(tick)}</text>");
        }

        html.Raw($"<line class=\"tick\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom}\"/>");
        html.Raw($"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 6}\" text-anchor=\"middle\">{Html.Escape(x.Label)}</text>");
    }

    private static void Line(Html html, Axis x, Axis y, Series line, bool markers, bool connected)
    {
        var path = new StringBuilder();
        foreach (var point in line.Points.Where(_ => connected))
            path.Append(CultureInfo.InvariantCulture, $"{(path.Length == 0 ? "M" : "L")}{X(x, point.X):0.#} {Y(y, point.Y):0.#}");
        if (connected) html.Raw($"<path class=\"line s{line.Style % Styles}\" stroke-dasharray=\"{Dashes[line.Style % Styles]}\" d=\"{path.ToString()}\"/>");
        foreach (var point in line.Points.Where(_ => markers))
        {
            if (point.Deviation > 0)
                html.Raw($"<line class=\"whisker s{line.Style % Styles}\" x1=\"{X(x, point.X):0.#}\" x2=\"{X(x, point.X):0.#}\" y1=\"{Y(y, point.Y - point.Deviation):0.#}\" y2=\"{Y(y, point.Y + point.Deviation):0.#}\"/>");
            html.Raw(Marker(X(x, point.X), Y(y, point.Y), line.Style));
        }
    }

    internal static string Marker(double x, double y, int style)
    {
        FormattableString shape = (style % Styles) switch
        {
            0 => $"<circle class=\"mark s0\" cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"3.4\"/>",
            1 => $"<rect class=\"mark s1\" x=\"{x - 3:0.#}\" y=\"{y - 3:0.#}\" width=\"6\" height=\"6\"/>",
            2 => $"<path class=\"mark s2\" d=\"M{x:0.#} {y - 4:0.#}L{x + 4:0.#} {y + 3:0.#}L{x - 4:0.#} {y + 3:0.#}Z\"/>",
            3 => $"<path class=\"mark s3\" d=\"M{x:0.#} {y - 4.4:0.#}L{x + 4.4:0.#} {y:0.#}L{x:0.#} {y + 4.4:0.#}L{x - 4.4:0.#} {y:0.#}Z\"/>",
            4 => $"<circle class=\"mark open s4\" cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"3.2\"/>",
            _ => $"<rect class=\"mark open s5\" x=\"{x - 3:0.#}\" y=\"{y - 3:0.#}\" width=\"6\" height=\"6\"/>",
        };
        return shape.ToString(CultureInfo.InvariantCulture);
    }

    private static string Summary(Series line) => line.Points.Count switch
    {
        0 => "no points",
        <= 6 => string.Join(", ", line.Points.Select(point => $"{Axis.Text(Math.Round(point.Y, 3))} at {Axis.Text(point.X)}")),
        _ => $"from {Axis.Text(Math.Round(line.Points[0].Y, 3))} to {Axis.Text(Math.Round(line.Points[^1].Y, 3))}",
    };

    private static double X(Axis axis, double value) => Left + axis.Place(value) * (Width - Left - Right);

    private static double Y(Axis axis, double value) => Top + (1 - Math.Clamp(axis.Place(value), -0.02, 1.02)) * (Height - Top - Bottom);
}
