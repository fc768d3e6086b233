namespace RepNoise.Host.Diagnostics;

/// <summary>Tables for people: columns as wide as their widest cell, two spaces between them.</summary>
internal static class TextTable
{
    /// <summary>Writes rows of equally many cells.</summary>
    /// <param name="writer">Takes the lines.</param>
    /// <param name="rows">The header is one of them.</param>
    /// <param name="standsRight">True for the columns of numbers.</param>
    public static void Write(TextWriter writer, IReadOnlyList<string[]> rows, Func<int, bool> standsRight)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
        {
            var cells = row.Select((cell, i) => standsRight(i) ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
            writer.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }
}
