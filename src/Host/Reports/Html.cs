using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace RepNoise.Host.Reports;

/// <summary>
/// Collects a page. Markup is given as it is, text is escaped; what comes out is well-formed XML too, so that a parser can check it.
/// </summary>
internal sealed class Html
{
    /// <summary>Letters from which on a cell's text is broken into lines.</summary>
    private const int LongText = 50;

    private readonly StringBuilder page = new();

    /// <summary>Adds markup of our own; interpolated numbers are invariant, texts must have gone through <see cref="Escape"/>.</summary>
    public Html Raw(Markup markup) => Raw(markup.Text());

    /// <summary>Adds markup that is put together already.</summary>
    public Html Raw(string markup)
    {
        page.Append(markup).Append('\n');
        return this;
    }

    /// <summary>A paragraph of text.</summary>
    public Html Paragraph(string text, string? className = null) =>
        Raw(className is null ? $"<p>{Escape(text)}</p>" : $"<p class=\"{className}\">{Escape(text)}</p>");

    /// <summary>A table that scrolls by itself where the screen is narrow, by keyboard too.</summary>
    /// <param name="caption">What it shows; names the region for screen readers.</param>
    /// <param name="head">Titles of the columns.</param>
    /// <param name="rows">Cells as text; the first of each row is its header.</param>
    /// <param name="numbersFrom">First column that stands right.</param>
    public Html Table(string caption, IReadOnlyList<string> head, IEnumerable<IReadOnlyList<string>> rows, int numbersFrom = 1)
    {
        Raw($"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{Escape(caption)}\"><table><caption>{Escape(caption)}</caption>");
        string Class(int column) => column >= numbersFrom ? " class=\"n\"" : "";
        Raw("<thead><tr>" + string.Concat(head.Select((title, i) => $"<th scope=\"col\"{Class(i)}>{Escape(title)}</th>")) + "</tr></thead><tbody>");
        foreach (var row in rows)
            Raw("<tr>" + string.Concat(row.Select((cell, i) => i == 0 ? $"<th scope=\"row\">{Escape(cell)}</th>" : $"<td{(cell.Length > LongText ? " class=\"text\"" : Class(i))}>{Escape(cell)}</td>")) + "</tr>");
        return Raw("</tbody></table></div>");
    }

    /// <summary>Text for markup and attributes. Characters that XML cannot hold become the replacement character.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            escaped.Append(rune.Value switch
            {
                '<' => "&lt;",
                '>' => "&gt;",
                '&' => "&amp;",
                '"' => "&quot;",
                '\'' => "&#39;",
                < 0x20 and not ('\t' or '\n') => "\uFFFD",
                0xFFFE or 0xFFFF or (>= 0x7F and <= 0x9F) => "\uFFFD",
                _ => rune.ToString(),
            });
        }

        return escaped.ToString();
    }

    public override string ToString() => page.ToString();
}

/// <summary>An interpolated string in the invariant culture.</summary>
[InterpolatedStringHandler]
internal readonly ref struct Markup
{
    private readonly StringBuilder text;

    public Markup(int literalLength, int formattedCount) => text = new StringBuilder(literalLength + 16 * formattedCount);

    public void AppendLiteral(string value) => text.Append(value);

    public void AppendFormatted(string? value) => text.Append(value);

    public void AppendFormatted<T>(T value, string? format = null)
        where T : IFormattable => text.Append(value.ToString(format, CultureInfo.InvariantCulture));

    internal string Text() => text.ToString();
}
