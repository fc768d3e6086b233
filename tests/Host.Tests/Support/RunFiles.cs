using System.Text.Json;
using System.Text.Json.Nodes;

namespace RepNoise.Host.Tests.Support;

/// <summary>What runs leave in their output folders.</summary>
internal static class RunFiles
{
    private static readonly string[] TimeFields = ["tokens_per_second", "seconds", "peak_memory_bytes"];

    /// <summary>The records of metrics.jsonl without times and memory, which no two runs share.</summary>
    public static string[] Metrics(string folder) => [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Select(line =>
    {
        var step = JsonNode.Parse(line)!.AsObject();
        foreach (string field in TimeFields) Assert.True(step.Remove(field));
        return JsonSerializer.Serialize(step);
    })];

    /// <summary>Steps that metrics.jsonl records so far; 0 before it is there.</summary>
    public static int Steps(string folder)
    {
        try
        {
            using var stream = new FileStream(Path.Combine(folder, "metrics.jsonl"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd().Count(letter => letter == '\n');
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>Asserts equal weights, equal metrics of every step, and equal other files of the model.</summary>
    public static void AssertSame(string expected, string found)
    {
        Assert.Equal(Metrics(expected), Metrics(found));
        foreach (string path in Directory.EnumerateFiles(expected).Where(path => Path.GetFileName(path) is not ("metrics.jsonl" or "run.yaml")))
            Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(found, Path.GetFileName(path)))), path);
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
