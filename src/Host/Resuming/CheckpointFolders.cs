using System.Globalization;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Resuming;

/// <summary>
/// The folders <c>checkpoint-STEP</c> in a run's output. Each is written under another name, flushed with all its files and
/// renamed, so that one with its final name is whole; one that is removed gives up that name first. A crash at any moment leaves
/// the earlier checkpoints as they were, and at most a folder with a name of its own that the next run removes.
/// </summary>
internal static class CheckpointFolders
{
    private const string Prefix = "checkpoint-";
    private const string SavingSuffix = ".saving";
    private const string RemovingSuffix = ".removing";

    /// <summary>True for the names that this class gives: of checkpoints, and of what an interrupted run left of one.</summary>
    public static bool IsOwn(string name) => StepOf(name) is not null || IsLeftover(name);

    /// <summary>True for the name of what an interrupted run left of a checkpoint.</summary>
    public static bool IsLeftover(string name) =>
        name.StartsWith("." + Prefix, StringComparison.Ordinal)
        && (name.EndsWith(SavingSuffix, StringComparison.Ordinal) || name.EndsWith(RemovingSuffix, StringComparison.Ordinal));

    /// <summary>The checkpoints in a run's output by their names, latest step first; whether they are whole is not looked at.</summary>
    public static IReadOnlyList<(int Step, string Path)> List(string output) => !Directory.Exists(output)
        ? []
        : [.. Directory.EnumerateDirectories(output).Select(path => (Step: StepOf(Path.GetFileName(path)), Path: path))
            .Where(folder => folder.Step is not null).Select(folder => (folder.Step!.Value, folder.Path)).OrderByDescending(folder => folder.Value)];

    /// <summary>The step in a checkpoint's name, or null where it is none.</summary>
    public static int? StepOf(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int step) && NameOf(step) == name
            ? step
            : null;

    public static string NameOf(int step) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step}");

    /// <summary>Saves a checkpoint; it is whole and durable when this returns. One of the same step is replaced.</summary>
    /// <param name="output">The run's folder.</param>
    /// <param name="step">Steps done.</param>
    /// <param name="write">Writes every file into the folder it is given, flushed; the manifest is added here.</param>
    /// <returns>The checkpoint's path.</returns>
    public static string Publish(string output, int step, Action<string> write)
    {
        string target = Path.Combine(output, NameOf(step)), staging = Path.Combine(output, "." + NameOf(step) + SavingSuffix);
        OutputFolder.Stage(staging, folder =>
        {
            write(folder);
            CheckpointManifest.Write(folder, step);
        });
        if (Directory.Exists(target)) Remove(target);
        Directory.Move(staging, target);
        Durable.FlushFolder(output);
        return target;
    }

    /// <summary>Removes all but the latest <paramref name="limit"/> checkpoints.</summary>
    public static void Prune(string output, int limit)
    {
        foreach (var (_, path) in List(output).Skip(limit)) Remove(path);
    }

    /// <summary>Removes what interrupted runs left of checkpoints.</summary>
    public static void RemoveLeftovers(string output)
    {
        foreach (string path in Directory.EnumerateDirectories(output).Where(path => IsLeftover(Path.GetFileName(path))).ToArray())
            Directory.Delete(path, recursive: true);
    }

    private static void Remove(string path)
    {
        string aside = Path.Combine(Path.GetDirectoryName(path)!, "." + Path.GetFileName(path) + RemovingSuffix);
        if (Directory.Exists(aside)) Directory.Delete(aside, recursive: true);
        Directory.Move(path, aside);
        Directory.Delete(aside, recursive: true);
    }
}
