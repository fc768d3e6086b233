using System.Globalization;
using Parquet;
using Parquet.Schema;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Data;

/// <summary>The rows of a Parquet file, one row group in memory at a time; only the columns that are asked for are read.</summary>
internal static class ParquetRows
{
    // A damaged or hostile file may claim any number of rows; memory for a column is allocated from it.
    private const long MaxGroupRows = 16 << 20;

    private static readonly ParquetOptions Options = new() { TreatByteArrayAsString = true };

    public static IEnumerable<DataRow> Read(Stream stream, string path)
    {
        var pages = Guard(path, () => new PageStream(stream, ParquetCheck.Run(stream)));
        var reader = Guard(path, () => ParquetReader.CreateAsync(pages, Options, leaveStreamOpen: true).GetAwaiter().GetResult());
        try
        {
            var fields = Guard(path, () => reader.Schema.DataFields.ToDictionary(f => string.Join('.', f.Path.ToList())));
            long before = 0;
            for (int g = 0; g < reader.RowGroupCount; g++)
            {
                int index = g;
                using var rows = Guard(path, () => reader.OpenRowGroupReader(index));
                if (rows.RowCount is < 0 or > MaxGroupRows)
                    throw Broken(path, $"row group {g} claims {rows.RowCount} rows", $"0 to {MaxGroupRows} rows a group", null);
                var group = new ParquetGroup(rows, fields, path);
                for (int r = 0; r < rows.RowCount; r++)
                    yield return new ParquetRow(group, r, $"{path}, row {before + r + 1}");
                before += rows.RowCount;
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>Runs the library on untrusted bytes: whatever it stumbles over is the file's fault.</summary>
    internal static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not DataException)
        {
            throw Broken(path, $"malformed Parquet ({Quoted.Plain(e.Message).TrimEnd('.')})", "a complete Parquet file", e);
        }
    }

    private static DataException Broken(string path, string problem, string expected, Exception? inner) =>
        new(DataFault.Syntax, path, problem, expected, "check that it was written completely, or convert it to JSON lines", inner);
}

/// <summary>One row group and the columns of it that were asked for.</summary>
internal sealed class ParquetGroup(ParquetRowGroupReader rows, Dictionary<string, DataField> fields, string path)
{
    private readonly Dictionary<string, Array> columns = [];

    public IEnumerable<string> Names => fields.Keys;

    public DataField? Field(string name) => fields.GetValueOrDefault(name);

    /// <summary>The elements of the list at a path: PATH.list.element, or what else a writer calls the two.</summary>
    public DataField? ListField(string path) => fields.Values.FirstOrDefault(field =>
        field.MaxRepetitionLevel > 0 && field.Path.ToList() is [.. var names, _, _] && string.Join('.', names) == path);

    /// <summary>A list of texts for each row; null where there is none.</summary>
    public List<string?>?[] Lists(DataField field) => Column<List<string?>?>(field, lists => ReadLists(field, lists));

    public string?[] Texts(DataField field) => Column<string?>(field, values => ReadTexts(field, values));

    public long?[] Integers(DataField field) => field.ClrType == typeof(long)
        ? Column<long?>(field, values => rows.ReadAsync<long>(field, values.AsMemory()))
        : [.. Column<int?>(field, values => rows.ReadAsync<int>(field, values.AsMemory())).Select(value => (long?)value)];

    public bool?[] Flags(DataField field) => Column<bool?>(field, values => rows.ReadAsync<bool>(field, values.AsMemory()));

    /// <summary>
    /// Rows that share an entry of the column's dictionary share its text: a file may repeat one long text for each of its rows at the
    /// price of a bit.
    /// </summary>
    private async ValueTask ReadTexts(DataField field, string?[] texts)
    {
        var values = new ReadOnlyMemory<char>[texts.Length];
        int[]? levels = field.MaxDefinitionLevel > 0 ? new int[texts.Length] : null;
        await rows.ReadRawAsync<ReadOnlyMemory<char>>(field, values, levels, null).ConfigureAwait(false);
        var known = new Dictionary<ReadOnlyMemory<char>, string>();
        int next = 0;
        for (int i = 0; i < texts.Length; i++)
        {
            if (levels is not null && levels[i] < field.MaxDefinitionLevel) continue;
            texts[i] = Shared(values[next++], known);
        }
    }

    /// <summary>
    /// Levels tell lists apart (Dremel, as Parquet has it): repetition 0 begins a row; definition is the greatest for a text, one less for a
    /// null among them where the schema lets them be null, less again for an empty list, and least for no list.
    /// </summary>
    private async ValueTask ReadLists(DataField field, List<string?>?[] lists)
    {
        // No more than the file can hold: ParquetCheck has looked.
        int count = checked((int)rows.GetMetadata(field)!.MetaData!.NumValues), row = -1;
        var values = new ReadOnlyMemory<char>[count];
        int[] definitions = new int[count], repetitions = new int[count];
        await rows.ReadRawAsync<ReadOnlyMemory<char>>(field, values, definitions, repetitions).ConfigureAwait(false);
        int empty = field.MaxDefinitionLevel - (field.IsNullable ? 2 : 1), next = 0;
        var known = new Dictionary<ReadOnlyMemory<char>, string>();
        for (int i = 0; i < count; i++)
        {
            if (repetitions[i] == 0) row++;
            if (definitions[i] < empty) continue;
            var list = lists[row] ??= [];
            if (definitions[i] == field.MaxDefinitionLevel) list.Add(Shared(values[next++], known));
            else if (definitions[i] > empty) list.Add(null);
        }
    }

    private static string Shared(ReadOnlyMemory<char> value, Dictionary<ReadOnlyMemory<char>, string> known)
    {
        if (!known.TryGetValue(value, out string? text)) known.Add(value, text = value.ToString());
        return text;
    }

    private T[] Column<T>(DataField field, Func<T[], ValueTask> read)
    {
        string key = field.Path.ToString();
        if (columns.TryGetValue(key, out var known))
            return (T[])known;
        var values = new T[rows.RowCount];
        ParquetRows.Guard(path, () =>
        {
            read(values).AsTask().GetAwaiter().GetResult();
            return true;
        });
        columns.Add(key, values);
        return values;
    }
}

/// <summary>A row of a Parquet file.</summary>
internal sealed class ParquetRow(ParquetGroup group, int index, string place) : DataRow
{
    public override string Place => place;

    public override IEnumerable<string> Names => group.Names;

    public override bool Has(string path) =>
        group.Field(path) is { } field && (!IsText(field) || group.Texts(field)[index] is not null);

    public override string Text(string path)
    {
        var field = group.Field(path) ?? throw Missing(path, "text");
        if (!IsText(field))
            throw WrongType(path, Describe(field), "text");
        return group.Texts(field)[index] ?? throw WrongType(path, "null", "text");
    }

    public override bool Flag(string path)
    {
        const string kind = "true or false";
        var field = group.Field(path) ?? throw Missing(path, kind);
        if (field.MaxRepetitionLevel > 0 || field.ClrType != typeof(bool))
            throw WrongType(path, Describe(field), kind);
        return group.Flags(field)[index] ?? throw WrongType(path, "null", kind);
    }

    public override string Scalar(string path)
    {
        const string kind = "text, an integer, true or false";
        var field = group.Field(path) ?? throw Missing(path, kind);
        if (field.MaxRepetitionLevel > 0) throw WrongType(path, Describe(field), kind);
        if (field.ClrType == typeof(bool)) return Flag(path) ? "true" : "false";
        if (field.ClrType == typeof(int) || field.ClrType == typeof(long))
            return group.Integers(field)[index]?.ToString(CultureInfo.InvariantCulture) ?? throw WrongType(path, "null", kind);
        return IsText(field) ? Text(path) : throw WrongType(path, Describe(field), kind);
    }

    public override IReadOnlyList<string> Texts(string path)
    {
        const string kind = "a list of texts";
        var field = group.ListField(path) ?? group.Field(path) ?? throw Missing(path, kind);
        if (field.MaxRepetitionLevel != 1 || !HoldsText(field)) throw WrongType(path, Describe(field), kind);
        var texts = group.Lists(field)[index] ?? throw WrongType(path, "null", kind);
        return texts.Contains(null) ? throw WrongType(path, "a list with null", kind) : [.. texts.OfType<string>()];
    }

    /// <summary>A file's schema gives text as memory of characters; one that is built in code as a string.</summary>
    private static bool IsText(DataField field) =>
        field.MaxRepetitionLevel == 0 && HoldsText(field);

    private static bool HoldsText(DataField field) => field.ClrType == typeof(ReadOnlyMemory<char>) || field.ClrType == typeof(string);

    private static string Describe(DataField field) =>
        field.MaxRepetitionLevel > 0 ? HoldsText(field) ? "a list" : $"a list of {field.ClrType.Name}" : IsText(field) ? "text" : $"of type {field.ClrType.Name}";
}
