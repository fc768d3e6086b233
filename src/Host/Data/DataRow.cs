using System.Globalization;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Data;

/// <summary>
/// One row of a data file. Fields are named by their path: <c>prompt</c>, or <c>prompt.text</c> for a field inside a field.
/// A row is valid until the next one is read.
/// </summary>
public abstract class DataRow
{
    /// <summary><c>file:line</c>, for messages.</summary>
    public abstract string Place { get; }

    /// <summary>Paths of the fields that exist, for messages.</summary>
    public abstract IEnumerable<string> Names { get; }

    /// <summary>True where the field exists and is neither null nor an object: text can be asked for.</summary>
    public abstract bool Has(string path);

    /// <summary>The text of a field.</summary>
    /// <exception cref="DataException">The field is missing, null or no text.</exception>
    public abstract string Text(string path);

    /// <summary>The value of a true/false field.</summary>
    /// <exception cref="DataException">The field is missing, null or no boolean.</exception>
    public abstract bool Flag(string path);

    /// <summary>A field's text, number or truth value, as text: a label or a category.</summary>
    /// <exception cref="DataException">The field is missing, null or none of these.</exception>
    public abstract string Scalar(string path);

    /// <summary>The whole number of a field.</summary>
    /// <exception cref="DataException">The field is missing, null or no integer.</exception>
    public int Integer(string path) => int.TryParse(Scalar(path), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
        ? value
        : throw WrongType(path, $"\"{Scalar(path)}\"", "an integer");

    /// <summary>The texts of a list.</summary>
    /// <exception cref="DataException">The field is missing, null or no list of texts.</exception>
    public abstract IReadOnlyList<string> Texts(string path);

    /// <summary>The fields that exist, cut to what a message can hold.</summary>
    internal string DescribeFields()
    {
        const int shown = 20;
        var names = Names.Take(shown + 1).Select(Printable).ToList();
        return names.Count == 0 ? "no fields" : string.Join(", ", names.Take(shown)) + (names.Count > shown ? ", ..." : "");
    }

    protected DataException Missing(string path, string kind)
    {
        string? near = NearestName.Of(path, Names.Take(1000).Select(Printable));
        return new DataException(DataFault.MissingField, Place, $"no field \"{Printable(path)}\"; the row has {DescribeFields()}",
            $"a field with {kind}",
            near is null ? "name the fields that this file has (--help lists the options)" : $"did you mean \"{near}\"?");
    }

    protected DataException WrongType(string path, string found, string kind) =>
        new(DataFault.WrongType, Place, $"field \"{Printable(path)}\" is {found}", kind, "correct or remove the row, or name another field");

    /// <summary>Names come from outside: neither their length nor control characters may reach the terminal.</summary>
    protected static string Printable(string name) =>
        string.Concat((name.Length <= 80 ? name : name[..77] + "...").Select(c => char.IsControl(c) ? '?' : c));
}
