using RepNoise.Host.Resuming;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Puts a finished set of files in an output folder so that a crash at any moment leaves either the old model, or the new one,
/// or a folder without config.json, which nothing takes for a model.
/// <para>A new folder is written beside its final name and renamed, in one step. A folder that is replaced is renamed aside
/// first and removed last. Into a folder that a run is using, files are written to a subfolder and flushed; then config.json
/// is taken away, the files are moved one by one, and the new config.json comes last. A crash in between leaves the rest of
/// the new files, complete, in the subfolder, and opening the folder says so.</para>
/// <para>Files beside their final place are in folders named <c>.saving-</c> and the process id (beside a new folder with its
/// name before that), the folder that was replaced in <c>.NAME.replaced-</c> and the id. config.json is the last file written
/// to any of them, so one that has it is whole.</para>
/// </summary>
internal static class OutputFolder
{
    /// <summary>Begins the names of subfolders that hold files not yet in place; the process id follows.</summary>
    public const string StagingPrefix = ".saving-";

    /// <summary>Refuses an output that is a file, or the very folder that the model is read from.</summary>
    /// <param name="output">The folder; need not exist.</param>
    /// <param name="source">The folder that the model comes from, or null.</param>
    public static void CheckPlace(string output, string? source)
    {
        if (File.Exists(output))
        {
            throw NotEmpty(output, "is a file", "choose another output folder");
        }

        if (source is not null && FolderFiles.RealPath(source) == FolderFiles.RealPath(output))
        {
            throw new ModelSaveException(
                ModelSaveError.OutputIsSource, output, "is the folder that the model is read from", "another folder",
                "choose another output folder");
        }
    }

    /// <summary>Refuses an output folder that holds what must not be replaced.</summary>
    /// <param name="output">The folder; need not exist.</param>
    /// <param name="options">Whether a model may be replaced, and which files belong to the run.</param>
    public static void CheckContents(string output, SaveOptions options)
    {
        var entries = Foreign(output, options);
        if (entries.Count == 0)
        {
            return;
        }

        if (!options.Overwrite)
        {
            throw NotEmpty(
                output, $"already holds {Quoted.Name(entries[0])}",
                CheckpointFolders.List(output).Count > 0
                    ? "give --resume-from-checkpoint true to go on with that run, --overwrite-output-dir to begin again, or choose another folder"
                    : entries.Contains(ModelFolder.ConfigName) ? "choose another folder, or give --overwrite-output-dir" : "choose another folder");
        }

        entries.RemoveAll(CheckpointFolders.IsOwn);
        if (entries.Count == 0)
        {
            return;
        }

        string? strange = entries.FirstOrDefault(name => Directory.Exists(Path.Combine(output, name)) && name != SavePlan.ChatTemplates);
        if (strange is not null || !entries.Contains(ModelFolder.ConfigName))
        {
            throw NotEmpty(
                output, strange is null ? $"holds {Quoted.Name(entries[0])} but no model" : $"holds the folder {Quoted.Name(strange)}",
                "choose another folder: only a model folder without subfolders is ever replaced");
        }
    }

    /// <summary>Writes a folder that <see cref="CheckContents"/> has passed.</summary>
    /// <param name="output">The folder; need not exist.</param>
    /// <param name="options">As for <see cref="CheckContents"/>.</param>
    /// <param name="write">Writes every file into the folder it is given, flushed.</param>
    public static void Publish(string output, SaveOptions options, Action<string> write)
    {
        string target = Path.TrimEndingDirectorySeparator(FolderFiles.RealPath(output));
        if (Foreign(target, options).Count == 0 && Directory.Exists(target))
        {
            Merge(target, write);
            return;
        }

        string parent = Path.GetDirectoryName(target) ?? target, name = Path.GetFileName(target);
        string staging = Path.Combine(parent, $".{name}{StagingPrefix}{Environment.ProcessId}");
        Stage(staging, write);
        if (Directory.Exists(target))
        {
            Swap(target, staging, Path.Combine(parent, $".{name}.replaced-{Environment.ProcessId}"), options);
        }
        else
        {
            Directory.Move(staging, target);
        }

        Durable.FlushFolder(parent);
    }

    /// <summary>Writes into a folder that is in use, file by file, config.json last; see the class.</summary>
    public static void Merge(string output, Action<string> write)
    {
        Directory.CreateDirectory(output);
        string staging = Path.Combine(output, $"{StagingPrefix}{Environment.ProcessId}");
        Stage(staging, write);

        string config = Path.Combine(output, ModelFolder.ConfigName);
        File.Delete(config);
        Durable.FlushFolder(output);
        var files = Directory.EnumerateFiles(staging, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(staging, path)).ToHashSet();
        var stale = Directory.EnumerateFiles(output).Select(path => Path.GetFileName(path))
            .Where(name => IsWeights(name) && !files.Contains(name));
        foreach (string name in stale.ToArray())
        {
            File.Delete(Path.Combine(output, name));
        }

        foreach (string file in files.Where(file => file != ModelFolder.ConfigName))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(output, file))!);
            File.Move(Path.Combine(staging, file), Path.Combine(output, file), overwrite: true);
        }

        Durable.FlushFolder(output);
        File.Move(Path.Combine(staging, ModelFolder.ConfigName), config, overwrite: true);
        Durable.FlushFolder(output);

        // Now that a whole model is in place, what interrupted saves left behind is of no use any more.
        foreach (string left in Directory.EnumerateDirectories(output, StagingPrefix + "*").ToArray())
        {
            Directory.Delete(left, recursive: true);
        }
    }

    /// <summary>What to do with a folder whose model was being saved when the process ended, or null where none was.</summary>
    public static string? Interrupted(string folder)
    {
        var staging = Directory.EnumerateDirectories(folder, StagingPrefix + "*").Select(path => new DirectoryInfo(path)).ToArray();
        if (staging.Length == 0)
        {
            return null;
        }

        // config.json is written last of all, and moved last of all.
        var whole = staging.FirstOrDefault(left => left.GetFiles(ModelFolder.ConfigName).Any(file => file.Length > 0));
        return whole is null
            ? $"save the model again: saving it was interrupted, and what {staging[0].Name} holds is incomplete"
            : $"move the files in {whole.Name} one folder up: saving was interrupted while they were put in place, and they are complete";
    }

    /// <summary>Has a new folder written and flushed; nothing is left of it where that fails.</summary>
    public static void Stage(string staging, Action<string> write)
    {
        if (Directory.Exists(staging))
        {
            Directory.Delete(staging, recursive: true);
        }

        Directory.CreateDirectory(staging);
        try
        {
            write(staging);
            foreach (string folder in Directory.EnumerateDirectories(staging, "*", SearchOption.AllDirectories))
            {
                Durable.FlushFolder(folder);
            }

            Durable.FlushFolder(staging);
        }
        catch (ArgumentOutOfRangeException error) when (error.ParamName == "value")
        {
            // What .NET makes of EFBIG, when a file grows beyond a quota or what the file system can hold.
            Directory.Delete(staging, recursive: true);
            throw new IOException("a file grew larger than the file system or a quota allows", error);
        }
        catch
        {
            Directory.Delete(staging, recursive: true);
            throw;
        }
    }

    private static void Swap(string target, string staging, string aside, SaveOptions options)
    {
        Directory.Move(target, aside);
        try
        {
            Directory.Move(staging, target);
        }
        catch
        {
            Directory.Move(aside, target);
            throw;
        }

        foreach (string name in options.RunFiles.Where(name => File.Exists(Path.Combine(aside, name))))
        {
            File.Move(Path.Combine(aside, name), Path.Combine(target, name));
        }

        Durable.FlushFolder(target);
        Directory.Delete(aside, recursive: true);
    }

    /// <summary>Names in the folder that are not a run's own, sorted; staging folders that a crash left count as nobody's.</summary>
    private static List<string> Foreign(string folder, SaveOptions options) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path))
            .Where(name => !options.RunFiles.Contains(name) && !name.StartsWith(StagingPrefix, StringComparison.Ordinal) && !CheckpointFolders.IsLeftover(name))
            .Order(StringComparer.Ordinal)];

    private static bool IsWeights(string name) => name is WeightFiles.SingleName or WeightFiles.IndexName
        || (name.StartsWith("model-", StringComparison.Ordinal) && name.EndsWith(".safetensors", StringComparison.Ordinal));

    private static ModelSaveException NotEmpty(string output, string problem, string remedy) =>
        new(ModelSaveError.OutputNotEmpty, output, problem, "a folder that is empty or not there yet", remedy);
}
