using System.Globalization;
using System.Text;

namespace RepNoise.Host.Tokenizers;

/// <summary>
/// Where a value stands in a JSON file, as a chain to the root. The path is written only for a message: kept as text it would cost every
/// value of a deeply nested file its whole depth.
/// </summary>
internal sealed class JsonPlace
{
    private const int AsKey = -1;
    private const int AsEntry = -2;

    private readonly JsonPlace? parent;
    private readonly string name;
    private readonly int index;

    /// <summary>The root of a file.</summary>
    public JsonPlace(string file) => (File, name) = (file, "$");

    private JsonPlace(JsonPlace parent, string name, int index) => (this.parent, File, this.name, this.index) = (parent, parent.File, name, index);

    public string File { get; }

    /// <summary>The JSON path: <c>$.model.merges[3]</c>, <c>$.model.vocab["a"]</c>.</summary>
    public string Path
    {
        get
        {
            var path = new StringBuilder();
            Append(path);
            return path.ToString();
        }
    }

    /// <summary>A field that the reader knows.</summary>
    public JsonPlace Key(string key) => new(this, key, AsKey);

    /// <summary>A field that is data, under a name of the file's own.</summary>
    public JsonPlace Entry(string entry) => new(this, entry, AsEntry);

    /// <summary>An element of an array.</summary>
    public JsonPlace Item(int number) => new(this, "", number);

    /// <summary>A JSON reader bounds the depth, and so this recursion.</summary>
    private void Append(StringBuilder path)
    {
        parent?.Append(path);
        _ = (parent, index) switch
        {
            (null, _) => path.Append(name),
            (_, AsKey) => path.Append('.').Append(name),
            (_, AsEntry) => path.Append('[').Append(JsonView.Quote(name)).Append(']'),
            _ => path.Append('[').Append(CultureInfo.InvariantCulture, $"{index}").Append(']'),
        };
    }
}
