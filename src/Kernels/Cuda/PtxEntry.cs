using System.Globalization;
using System.Text.RegularExpressions;

namespace RepNoise.Kernels.Cuda;

/// <summary>One parameter of a kernel in its parameter block.</summary>
/// <param name="Offset">In bytes.</param>
/// <param name="Size">In bytes.</param>
internal readonly record struct PtxParameter(int Offset, int Size);

/// <summary>A kernel as PTX text declares it: <c>.entry name(.param ...)</c>.</summary>
internal sealed partial record PtxEntry(string Name, IReadOnlyList<PtxParameter> Parameters)
{
    /// <summary>Bytes of the parameter block.</summary>
    public int ParameterBytes => Parameters.Count == 0 ? 0 : Parameters[^1].Offset + Parameters[^1].Size;

    /// <summary>Every entry of a module, by name.</summary>
    public static IReadOnlyDictionary<string, PtxEntry> Read(string ptx)
    {
        var entries = new Dictionary<string, PtxEntry>();
        foreach (Match match in EntryPattern().Matches(ptx))
        {
            var entry = new PtxEntry(match.Groups["name"].Value, Layout(match.Groups["parameters"].Value));
            entries.Add(entry.Name, entry);
        }

        return entries;
    }

    private static List<PtxParameter> Layout(string declarations)
    {
        var parameters = new List<PtxParameter>();
        int next = 0;
        foreach (Match match in ParameterPattern().Matches(declarations))
        {
            int element = int.Parse(match.Groups["bits"].Value, CultureInfo.InvariantCulture) / 8;
            int count = match.Groups["count"].Success ? int.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture) : 1;
            // A pointer's .align is that of what it points to; its own, as any scalar's, is its size.
            int alignment = match.Groups["count"].Success && match.Groups["align"].Success
                ? int.Parse(match.Groups["align"].Value, CultureInfo.InvariantCulture)
                : element;
            int offset = (next + alignment - 1) / alignment * alignment;
            parameters.Add(new PtxParameter(offset, element * count));
            next = offset + element * count;
        }

        return parameters;
    }

    [GeneratedRegex(@"\.entry\s+(?<name>[\w$]+)\s*\((?<parameters>[^)]*)\)")]
    private static partial Regex EntryPattern();

    [GeneratedRegex(@"\.param\s+(?:\.align\s+(?<align>\d+)\s+)?\.[busf](?<bits>\d+)\s[^,\[]*(?:\[(?<count>\d+)\])?")]
    private static partial Regex ParameterPattern();
}
