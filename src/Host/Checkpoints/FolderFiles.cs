namespace RepNoise.Host.Checkpoints;

/// <summary>
/// The files of a model folder, none of which may lead out of it: a downloaded folder must not be able to make this program
/// read, and copy into a folder that is then published, some file of the machine. Symbolic links are followed where they
/// end inside the folder, or in the <c>blobs</c> of the Hugging Face cache it lies in (<c>models--o--n/snapshots/revision</c>
/// links to <c>../../blobs/hash</c>).
/// </summary>
internal sealed class FolderFiles
{
    private const int MaxLinks = 40;

    private readonly string realFolder;
    private readonly string? blobs;

    /// <param name="folder">An existing folder; it may be reached through links itself.</param>
    public FolderFiles(string folder)
    {
        Folder = folder;
        realFolder = RealPath(folder);
        if (Path.GetDirectoryName(realFolder) is { } parent && Path.GetFileName(parent) == "snapshots")
        {
            blobs = Path.Combine(Path.GetDirectoryName(parent)!, "blobs");
        }
    }

    public string Folder { get; }

    /// <summary>Names of the folder's own files, sorted; subfolders and links to nowhere are left out.</summary>
    public IEnumerable<string> Names =>
        Directory.EnumerateFiles(Folder).Select(path => Path.GetFileName(path)).Where(Exists).Order(StringComparer.Ordinal);

    /// <summary>True for a file, or a link to one: an incomplete hub cache has links to blobs that are not there.</summary>
    public bool Exists(string name) => File.Exists(RealPath(Path.Combine(Folder, name)));

    /// <summary>The path of a file that another file names.</summary>
    /// <exception cref="ModelFolderException">The name is more than a file name, or a link that leads out of the folder.</exception>
    public string ResolveListed(string name, string listedIn)
    {
        if (name.Length == 0 || name is "." or ".." || name.AsSpan().ContainsAny("/\\:\0"))
        {
            throw new ModelFolderException(
                ModelFolderError.UnsafePath, listedIn, $"names the file {Quoted.Name(name)}", "the plain name of a file beside it",
                "download the model again from a source you trust");
        }

        return Resolve(name);
    }

    /// <summary>The path of a file by its name in the folder.</summary>
    /// <exception cref="ModelFolderException">The name is a link that leads out of the folder.</exception>
    public string Resolve(string name)
    {
        string path = Path.Combine(Folder, name), real = RealPath(path);
        bool inside = IsIn(real, realFolder) || (blobs is not null && IsIn(real, blobs));
        return inside
            ? path
            : throw new ModelFolderException(
                ModelFolderError.UnsafePath, path, $"is a link to {Quoted.Plain(real)}, outside the folder", "a file in this folder",
                "replace the link by the file if you trust it");
    }

    private static bool IsIn(string path, string folder) =>
        path.StartsWith(Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>The path with every symbolic link on it resolved; what does not exist is taken as it stands.</summary>
    public static string RealPath(string path)
    {
        string full = Path.GetFullPath(path), current = Path.GetPathRoot(full)!;
        var rest = new Stack<string>(Parts(full));
        int links = 0;
        while (rest.TryPop(out string? part))
        {
            if (part == "..")
            {
                current = Path.GetDirectoryName(current) ?? current;
                continue;
            }

            string next = Path.Combine(current, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                current = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw new ModelFolderException(
                    ModelFolderError.UnsafePath, path, "follows too many symbolic links", $"at most {MaxLinks}", "remove the loop");
            }

            current = Path.IsPathRooted(target) ? Path.GetPathRoot(target)! : current;
            foreach (string piece in Parts(target))
            {
                rest.Push(piece);
            }
        }

        return current;
    }

    /// <summary>The parts of a path, last first, for a stack.</summary>
    private static IEnumerable<string> Parts(string path) => path[(Path.GetPathRoot(path)?.Length ?? 0)..]
        .Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar).Where(p => p is not ("" or ".")).Reverse();
}
