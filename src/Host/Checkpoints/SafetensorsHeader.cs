using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Parses the JSON header of a safetensors file. The header comes from outside and is treated as hostile: nothing is
/// allocated beyond what its own bytes pay for, and every way it can be wrong is a <see cref="SafetensorsException"/>.
/// Format: https://github.com/huggingface/safetensors#format
/// </summary>
internal ref struct SafetensorsHeader
{
    private const string Remake = "download the file again, or write it again with the safetensors library";
    private const string Entry = "an object of dtype, shape and data_offsets";

    private readonly string path;
    private readonly List<TensorEntry> tensors = [];
    private readonly HashSet<string> names = [];
    private Dictionary<string, string>? metadata;
    private Utf8JsonReader json;

    private SafetensorsHeader(ReadOnlySpan<byte> header, string path)
    {
        this.path = path;
        json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
    }

    /// <param name="header">The header's bytes, without the length before them.</param>
    /// <param name="dataLength">Bytes of the file after the header.</param>
    /// <param name="path">The file, for messages.</param>
    /// <param name="metadata"><c>__metadata__</c> in the file's order; empty where absent.</param>
    /// <returns>The tensors by their place in the file; together they fill the data section exactly.</returns>
    public static List<TensorEntry> Parse(
        ReadOnlySpan<byte> header, long dataLength, string path, out IReadOnlyDictionary<string, string> metadata)
    {
        if (!Utf8.IsValid(header))
        {
            throw new SafetensorsException(SafetensorsError.HeaderNotUtf8, path, "the header is not valid UTF-8", "JSON in UTF-8", Remake);
        }

        if (header.IsEmpty || header[0] != (byte)'{')
        {
            string found = header.IsEmpty ? "is empty" : $"begins with byte 0x{header[0]:x2}";
            throw new SafetensorsException(
                SafetensorsError.HeaderNotObject, path, $"the header {found}", "a JSON object, which begins with {", Remake);
        }

        var parser = new SafetensorsHeader(header, path);
        try
        {
            parser.ReadHeader();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with an unpaired surrogate escape, which only shows when it is decoded.
            throw new SafetensorsException(
                SafetensorsError.HeaderMalformed, path, $"the header is not well-formed JSON ({Quoted.Plain(e.Message)})",
                "a JSON object of tensors", Remake, inner: e);
        }

        metadata = parser.metadata ?? [];
        parser.CheckLayout(dataLength);
        return parser.tensors;
    }

    private void ReadHeader()
    {
        json.Read();
        while (ReadKey() is { } name)
        {
            if (!names.Add(name))
            {
                throw Error(SafetensorsError.DuplicateKey, name, "is listed twice", "every name once");
            }

            json.Read();
            if (name == "__metadata__")
            {
                ReadMetadata();
            }
            else
            {
                ReadTensor(name);
            }
        }

        // Read once more: only white space may follow the object, anything else is a JsonException.
        json.Read();
    }

    /// <summary>The next key of the current object, or null at its end.</summary>
    private string? ReadKey()
    {
        json.Read();
        return json.TokenType == JsonTokenType.PropertyName ? json.GetString() : null;
    }

    private void ReadMetadata()
    {
        if (json.TokenType != JsonTokenType.StartObject)
        {
            throw Error(SafetensorsError.BadMetadata, "__metadata__", $"is a JSON {Kind()}", "an object of strings");
        }

        metadata = [];
        while (ReadKey() is { } key)
        {
            json.Read();
            if (json.TokenType != JsonTokenType.String)
            {
                throw Error(
                    SafetensorsError.BadMetadata, "__metadata__", $"holds a JSON {Kind()} under {Quoted.Name(key)}", "strings only");
            }

            if (!metadata.TryAdd(key, json.GetString()!))
            {
                throw Error(SafetensorsError.DuplicateKey, "__metadata__", $"lists {Quoted.Name(key)} twice", "every key once");
            }
        }
    }

    private void ReadTensor(string name)
    {
        if (json.TokenType != JsonTokenType.StartObject)
        {
            throw Error(SafetensorsError.BadEntry, name, $"is a JSON {Kind()}", Entry);
        }

        DType? dtype = null;
        List<long>? shape = null, offsets = null;
        while (ReadKey() is { } key)
        {
            json.Read();
            bool seen = key switch
            {
                "dtype" => dtype is not null,
                "shape" => shape is not null,
                "data_offsets" => offsets is not null,
                _ => false,
            };
            if (seen)
            {
                throw Error(SafetensorsError.DuplicateKey, name, $"has {key} twice", "every key once");
            }

            switch (key)
            {
                case "dtype":
                    dtype = ReadDType(name);
                    break;
                case "shape":
                    shape = ReadIntegers(name, SafetensorsError.BadShape, "shape");
                    break;
                case "data_offsets":
                    offsets = ReadIntegers(name, SafetensorsError.BadOffsets, "data_offsets");
                    break;
                default:
                    throw Error(SafetensorsError.BadEntry, name, $"has a key {Quoted.Name(key)}", Entry);
            }
        }

        if (dtype is null || shape is null || offsets is null)
        {
            string missing = dtype is null ? "dtype" : shape is null ? "shape" : "data_offsets";
            throw Error(SafetensorsError.BadEntry, name, $"has no {missing}", Entry);
        }

        AddTensor(name, dtype.Value, shape, offsets);
    }

    private DType ReadDType(string name)
    {
        string? text = json.TokenType == JsonTokenType.String ? json.GetString() : null;
        if (text is null || !DTypes.TryParse(text, out var dtype))
        {
            string found = text is null ? $"a JSON {Kind()}" : Quoted.Name(text);
            throw Error(
                SafetensorsError.UnknownDType, name, $"has dtype {found}",
                $"one of {string.Join(", ", Enum.GetValues<DType>().Select(t => t.Name()))}",
                "convert the file to F32, F16 or BF16");
        }

        return dtype;
    }

    private List<long> ReadIntegers(string name, SafetensorsError kind, string key)
    {
        if (json.TokenType != JsonTokenType.StartArray)
        {
            throw Error(kind, name, $"has {key} that is a JSON {Kind()}", "a list of integers from 0");
        }

        var values = new List<long>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out long value) || value < 0)
            {
                string found = json.TokenType == JsonTokenType.Number ? Encoding.UTF8.GetString(json.ValueSpan) : $"a JSON {Kind()}";
                throw Error(kind, name, $"has {Quoted.Plain(found)} in its {key}", "integers from 0 that fit 63 bits");
            }

            values.Add(value);
        }

        return values;
    }

    private readonly void AddTensor(string name, DType dtype, List<long> shape, List<long> offsets)
    {
        if (offsets.Count != 2)
        {
            throw Error(SafetensorsError.BadOffsets, name, $"has {offsets.Count} data_offsets", "two, begin and end");
        }

        if (offsets[0] > offsets[1])
        {
            throw Error(
                SafetensorsError.ReversedOffsets, name, $"begins at byte {offsets[0]} and ends at {offsets[1]}", "begin before end");
        }

        long bytes = dtype.Size();
        foreach (long dimension in shape)
        {
            if (dimension != 0 && bytes > long.MaxValue / dimension)
            {
                throw Error(
                    SafetensorsError.BadShape, name, $"has shape {Quoted.Plain(TensorEntry.Print(shape))}, whose size in bytes overflows",
                    "a size that fits 63 bits");
            }

            bytes *= dimension;
        }

        if (bytes != offsets[1] - offsets[0])
        {
            throw Error(
                SafetensorsError.SizeMismatch, name,
                $"has shape {Quoted.Plain(TensorEntry.Print(shape))} of {dtype.Name()}, {bytes} bytes, "
                + $"but its data_offsets span {offsets[1] - offsets[0]}",
                "shape and offsets that agree");
        }

        tensors.Add(new TensorEntry(name, dtype, shape, offsets[0], offsets[1]));
    }

    /// <summary>The tensors must fill the data section without gap or overlap, so that no byte is unaccounted for.</summary>
    private readonly void CheckLayout(long dataLength)
    {
        // Stable, so tensors without elements stay where the header has them.
        var sorted = tensors.OrderBy(t => t.Begin).ThenBy(t => t.End).ToArray();
        long end = 0;
        foreach (var tensor in sorted)
        {
            if (tensor.End > dataLength)
            {
                throw Error(
                    SafetensorsError.Truncated, tensor.Name, $"ends at byte {tensor.End} of the data, but the file has only {dataLength}",
                    "a file that holds all of it", "download the file again: it is incomplete");
            }

            if (tensor.Begin != end)
            {
                bool overlap = tensor.Begin < end;
                throw Error(
                    overlap ? SafetensorsError.Overlap : SafetensorsError.Hole, tensor.Name,
                    $"begins at byte {tensor.Begin} of the data, but the tensor before it ends at {end}",
                    overlap ? "tensors that do not overlap" : "tensors without a hole between them");
            }

            end = tensor.End;
        }

        if (end != dataLength)
        {
            throw new SafetensorsException(
                SafetensorsError.TrailingBytes, path, $"{dataLength - end} bytes follow the last tensor", "a file that ends with it",
                Remake);
        }

        tensors.Clear();
        tensors.AddRange(sorted);
    }

    private readonly string Kind() => json.TokenType switch
    {
        JsonTokenType.StartObject => "object",
        JsonTokenType.StartArray => "list",
        JsonTokenType.True or JsonTokenType.False => "boolean",
        var other => other.ToString().ToLowerInvariant(),
    };

    private readonly SafetensorsException Error(
        SafetensorsError kind, string name, string problem, string expected, string remedy = Remake) =>
        new(kind, path, $"tensor {Quoted.Name(name)} {problem}", expected, remedy, name);
}
