using System.Text.Json;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Experiments;

/// <summary>
/// Splits data by category of harm: what a defence may see, and what an attack brings that the defence never saw. A row counts under
/// the text of its category field, or under every true field of an object there (BeaverTails).
/// </summary>
internal static class WithheldData
{
    /// <summary>Writes the rows of a file that are, or are not, of a category, as JSON lines with dotted names for nested fields.</summary>
    /// <param name="source">JSON, JSON lines or Parquet.</param>
    /// <param name="target">The file to write; its folder is made.</param>
    /// <param name="field">Field of the category.</param>
    /// <param name="category">The category.</param>
    /// <param name="only">True keeps its rows, false all others.</param>
    /// <exception cref="DataException">The file cannot be read, or no row is left.</exception>
    public static void Write(string source, string target, string field, string category, bool only)
    {
        using var bytes = new MemoryStream();
        int kept = 0, rows = 0;
        foreach (var row in RowSource.Read(source))
        {
            rows++;
            if (QuestionReader.Categories(row, field).Contains(category) != only) continue;
            kept++;
            using (var json = new Utf8JsonWriter(bytes)) WriteRow(json, row);
            bytes.WriteByte((byte)'\n');
        }

        if (kept == 0)
            throw new DataException(DataFault.Empty, source, $"{(only ? "none" : "every one")} of its {rows} rows is of category \"{category}\" ({field})",
                only ? "rows of the category to attack with" : "rows of other categories to defend with", "correct withheld, or category_field");
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        Durable.Replace(target, bytes.ToArray());
    }

    private static void WriteRow(Utf8JsonWriter json, DataRow row)
    {
        json.WriteStartObject();
        foreach (string name in row.Names.Where(row.Has))
        {
            if (Flag(row, name) is { } flag) json.WriteBoolean(name, flag);
            else if (Scalar(row, name) is { } text) json.WriteString(name, text);
        }

        json.WriteEndObject();
    }

    private static bool? Flag(DataRow row, string name)
    {
        if (Scalar(row, name) is not ("true" or "false")) return null;
        try
        {
            return row.Flag(name);
        }
        catch (DataException)
        {
            return null; // the text "true"
        }
    }

    /// <summary>The value as text; null for a list, which no training data is read from.</summary>
    private static string? Scalar(DataRow row, string name)
    {
        try
        {
            return row.Scalar(name);
        }
        catch (DataException)
        {
            return null;
        }
    }
}
