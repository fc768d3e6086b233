using System.Globalization;
using System.Text.Json;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Progress;

/// <summary>Reads what <see cref="MetricsWriter"/> wrote, to the bit.</summary>
internal sealed class MetricsReader
{
    private static readonly string[] Lists = ["mmd", "lens_loss"];
    private readonly Dictionary<int, JsonElement> steps = [];
    private readonly string path;

    /// <exception cref="InputException">The file cannot be read, or a line is not what a run writes.</exception>
    public MetricsReader(string path)
    {
        this.path = path;
        int number = 0;
        try
        {
            foreach (string line in File.ReadLines(path))
            {
                number++;
                Add(line, number);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException(path, $"it cannot be read ({error.Message.TrimEnd('.')})", "the metrics of a run", "name the output folder of a run", error);
        }
    }

    /// <summary>The last step with a record, or 0.</summary>
    public int LastStep => steps.Keys.DefaultIfEmpty(0).Max();

    public bool Has(int step) => steps.ContainsKey(step);

    /// <summary>A number of a step's record, <c>loss</c> or <c>mmd.3</c>; null where the record lacks it or it was not finite.</summary>
    public double? Value(int step, string name)
    {
        if (!steps.TryGetValue(step, out var record)) return null;
        string? list = Lists.FirstOrDefault(known => name.StartsWith(known + ".", StringComparison.Ordinal));
        if (list is null) return record.TryGetProperty(name, out var number) ? Number(number) : null;
        int index = int.Parse(name.AsSpan(list.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        return record.TryGetProperty(list, out var array) && array.ValueKind == JsonValueKind.Array && index < array.GetArrayLength()
            ? Number(array[index])
            : null;
    }

    private static double? Number(JsonElement element) => element.ValueKind == JsonValueKind.Number ? element.GetDouble() : null;

    private void Add(string line, int number)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("step", out var step) && step.ValueKind == JsonValueKind.Number
                && step.TryGetInt32(out int at))
            {
                steps[at] = root.Clone();
                return;
            }
        }
        catch (JsonException)
        {
            // Told below, like JSON of another kind.
        }

        throw new InputException($"{path}:{number}", "it is not a step's record", "a JSON object with a step, as a run writes it", "restore the file of the run");
    }
}
