using System.Runtime.InteropServices;

namespace RepNoise.Host.Checkpoints;

/// <summary>
/// Files and folders that survive a power cut once written. A file's own flush does not make its name durable: for that its
/// folder has to be flushed, which .NET has no call for.
/// </summary>
internal static partial class Durable
{
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        stream.Write(bytes);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Puts a file in the place of another, or of none, at once: a crash leaves the old one or the new one.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> bytes)
    {
        string beside = path + ".new";
        File.Delete(beside);
        Write(beside, bytes);
        File.Move(beside, path, overwrite: true);
        FlushFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    public static void Copy(string from, string to)
    {
        using var source = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        using var target = new FileStream(to, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        source.CopyTo(target, 1 << 20);
        target.Flush(flushToDisk: true);
    }

    /// <summary>Makes the names in a folder durable; nothing to do on Windows, whose file systems journal them.</summary>
    public static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        const int ReadOnly = 0;
        int descriptor = Open(path, ReadOnly);
        if (descriptor < 0)
        {
            throw new IOException($"{path}: cannot be opened to be flushed, errno {Marshal.GetLastPInvokeError()}");
        }

        try
        {
            // Some network file systems cannot flush a folder (EINVAL); their files are flushed all the same.
            const int InvalidArgument = 22;
            if (Flush(descriptor) != 0 && Marshal.GetLastPInvokeError() is var error and not InvalidArgument)
            {
                throw new IOException($"{path}: cannot be flushed, errno {error}");
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);
}
