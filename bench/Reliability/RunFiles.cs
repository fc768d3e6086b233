using System.Text.Json;
using System.Text.Json.Nodes;

namespace RepNoise.Reliability;

/// <summary>What runs leave in their output folders.</summary>
internal static class RunFiles
{
    private static readonly string[] TimeFields = ["tokens_per_second", "seconds", "peak_memory_bytes"];
    private static readonly string[] OfOneRun = ["metrics.jsonl", "run.yaml"];

    /// <summary>The records of metrics.jsonl without times and memory, which no two runs share.</summary>
    public static IReadOnlyList<string> Metrics(string folder) => [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Select(line =>
    {
        var step = JsonNode.Parse(line)!.AsObject();
        foreach (string field in TimeFields) step.Remove(field);
        return JsonSerializer.Serialize(step);
    })];

    /// <summary>Steps that metrics.jsonl records so far; 0 before it is there.</summary>
    public static int Steps(string folder)
    {
        try
        {
            using var stream = new FileStream(
                Path.Combine(folder, "metrics.jsonl"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd().Count(letter => letter == '\n');
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>Compares weights, metrics of every step and the model's other files, to the bit.</summary>
    /// <returns>The first difference as a sentence, or null.</returns>
    public static string? Difference(string expected, string found)
    {
        var (a, b) = (Metrics(expected), Metrics(found));
        if (a.Count != b.Count) return $"metrics.jsonl has {b.Count} steps, not {a.Count}.";
        for (int i = 0; i < a.Count; i++)
        {
            if (a[i] != b[i]) return $"Step {i + 1} is\n{b[i]}, not\n{a[i]}.";
        }

        return Directory.EnumerateFiles(expected).Select(path => Path.GetFileName(path)).Except(OfOneRun)
            .Where(name => !File.ReadAllBytes(Path.Combine(expected, name)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(found, name))))
            .Select(name => $"{name} has other bytes.").FirstOrDefault();
    }

    /// <summary>Copies a folder with all that is below it.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string folder in Directory.EnumerateDirectories(from)) Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }

    /// <summary>Flips one bit of a file.</summary>
    public static void Flip(string path, long at, int bit)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[at] ^= (byte)(1 << bit);
        File.WriteAllBytes(path, bytes);
    }
}
