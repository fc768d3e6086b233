namespace RepNoise.Host.Reports;

/// <summary>A bar with a second, thinner one below it.</summary>
/// <param name="Name">What it is of.</param>
/// <param name="Harm">Harmfulness, 0 to 1, with its deviation; null where it was not measured.</param>
/// <param name="Utility">Utility, likewise.</param>
/// <param name="Note">Stands behind the name and marks the bar: collapsed, or not finite; null for none.</param>
internal sealed record Bar(string Name, (double Mean, double Deviation)? Harm, (double Mean, double Deviation)? Utility, string? Note);

/// <summary>Harmfulness of several defences under one attack, each with its utility: horizontal bars with names above them.</summary>
internal static class BarFigure
{
    private const int Width = 360, Left = 4, Right = 48, Row = 52, Top = 4, Bottom = 26;

    public static void Write(Html html, string title, IReadOnlyList<Bar> bars, double? floor)
    {
        int height = Top + bars.Count * Row + Bottom;
        string description = $"{title}. " + string.Join("; ", bars.Select(Describe)) + (floor is { } level ? FormattableString.Invariant($"; a model that never learned reaches {level:0.00}") : "");
        html.Raw($"<figure class=\"panel\"><figcaption>{Html.Escape(title)}</figcaption><svg viewBox=\"0 0 {Width} {height}\" role=\"img\" aria-label=\"{Html.Escape(description)}\">");
        foreach (double tick in (double[])[0, 0.25, 0.5, 0.75, 1])
            html.Raw($"<line class=\"grid\" x1=\"{X(tick):0.#}\" x2=\"{X(tick):0.#}\" y1=\"{Top}\" y2=\"{height - Bottom}\"/><text x=\"{X(tick):0.#}\" y=\"{height - Bottom + 15}\" text-anchor=\"middle\">{Axis.Text(tick)}</text>");
        if (floor is { } never)
            html.Raw($"<line class=\"floor\" x1=\"{X(never):0.#}\" x2=\"{X(never):0.#}\" y1=\"{Top}\" y2=\"{height - Bottom}\"/>");
        for (int i = 0; i < bars.Count; i++) Write(html, bars[i], Top + i * Row);
        html.Raw("</svg></figure>");
    }

    private static void Write(Html html, Bar bar, double y)
    {
        string note = bar.Note is null ? "" : $" <tspan class=\"warn\">✕ {Html.Escape(bar.Note)}</tspan>";
        html.Raw($"<text x=\"{Left}\" y=\"{y + 13:0.#}\" class=\"name\">{Html.Escape(bar.Name.Length > 34 ? bar.Name[..33] + "…" : bar.Name)}{note}</text>");
        if (bar.Harm is { } harm) Draw(html, harm, y + 18, 14, bar.Note is null ? "harm" : "harm faint");
        if (bar.Utility is { } utility) Draw(html, utility, y + 35, 7, "use");
    }

    private static void Draw(Html html, (double Mean, double Deviation) value, double y, double height, string className)
    {
        double end = X(Math.Clamp(value.Mean, 0, 1)), middle = y + height / 2;
        html.Raw($"<rect class=\"bar {className}\" x=\"{X(0):0.#}\" y=\"{y:0.#}\" width=\"{Math.Max(0.8, end - X(0)):0.#}\" height=\"{height:0.#}\"/>");
        double tip = end;
        if (value.Deviation > 0)
        {
            tip = X(Math.Min(1, value.Mean + value.Deviation));
            html.Raw($"<line class=\"whisker\" x1=\"{X(Math.Max(0, value.Mean - value.Deviation)):0.#}\" x2=\"{tip:0.#}\" y1=\"{middle:0.#}\" y2=\"{middle:0.#}\"/>");
        }

        html.Raw($"<text class=\"{(height > 10 ? "value" : "small")}\" x=\"{tip + 5:0.#}\" y=\"{middle + 4:0.#}\">{value.Mean:0.00}</text>");
    }

    private static string Describe(Bar bar) => FormattableString.Invariant(
        $"{bar.Name}: harmfulness {(bar.Harm is { } harm ? FormattableString.Invariant($"{harm.Mean:0.00}") : "not measured")}, utility {(bar.Utility is { } use ? FormattableString.Invariant($"{use.Mean:0.00}") : "not measured")}{(bar.Note is null ? "" : ", " + bar.Note)}");

    private static double X(double share) => Left + share * (Width - Left - Right);
}
